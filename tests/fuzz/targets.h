// The fuzz targets: every way on which bytes that nobody vouches for come into the programs. A
// target takes any bytes, does with them what the programs would, and ends the process
// (P2PBANK_CHECK, or a sanitizer) when something does not hold.
//
// Called by libFuzzer (libfuzzer.cpp, built with clang) and by the tests, with the files of
// corpus/<name> (corpus_tests.cpp, built with everything else).
#pragma once

#include <span>
#include <string_view>

namespace p2pbank::fuzz {

// Datagrams from known and unknown addresses, between time passing, jobs ending and restarts.
void bank_messages(std::string_view input);
void customer_messages(std::string_view input);
// The same, inside sealed sessions.
void bank_sealed(std::string_view input);
void customer_sealed(std::string_view input);
// Lines at the console; at a customer's, secrets too.
void bank_lines(std::string_view input);
void customer_lines(std::string_view input);
// Records of a journal whose frames are good: each is accepted or refused, and what was accepted
// can be written down and read again.
void bank_records(std::string_view input);
void customer_records(std::string_view input);
// A journal's file.
void journal_file(std::string_view input);
// data.csv, inventory.csv, purchases.csv: what is accepted, written and read again, is the same.
void csv_files(std::string_view input);
// Packets between two who have keys, and somebody between them.
void handshake(std::string_view input);
// The helpers that words, texts, dates and amounts go through.
void text(std::string_view input);

struct Target {
    std::string_view name;
    void (*run)(std::string_view input);
};
std::span<const Target> targets();

}  // namespace p2pbank::fuzz
