// One program for all references; the first argument says which.
#include "tests/bench/reference.h"

#include <string>

#include <CLI/CLI.hpp>

int main(int argc, char** argv) {
    using namespace p2pbank::bench;
    CLI::App app(
        "References for scripts/bench: the least that has to be done for the same effect.");
    app.require_subcommand(1);
    size_t window = 1;
    size_t records = 1;
    size_t processes = 2;
    size_t rounds = 100;
    double seconds = 1;
    unsigned floor_us = 5'000;
    std::string folder;

    const auto subcommand = [&](const char* name, const char* what) {
        CLI::App* sub = app.add_subcommand(name, what);
        sub->add_option("--seconds", seconds);
        sub->add_option("--folder", folder);
        return sub;
    };
    CLI::App* blocking = subcommand("ping-pong", "Datagrams there and back, blocking calls");
    blocking->add_option("--window", window);
    CLI::App* asio = subcommand("ping-pong-asio", "Datagrams there and back, through Asio");
    asio->add_option("--window", window);
    CLI::App* append = subcommand("append", "Append and fdatasync");
    append->add_option("--records", records);
    CLI::App* exchange = subcommand("durable-exchange", "Sync, send, sync, answer");
    exchange->add_option("--window", window);
    CLI::App* phases = subcommand("two-phase", "Ask all and wait for all, twice");
    phases->add_option("--processes", processes);
    phases->add_option("--rounds", rounds);
    CLI::App* resend = subcommand("resend", "Datagrams there and back, sent again when late");
    resend->add_option("--window", window);
    resend->add_option("--floor-us", floor_us);
#ifdef P2PBANK_HAS_ENET
    CLI::App* enet = subcommand("enet", "Messages there and back over ENet");
    enet->add_option("--window", window);
#endif
    CLI11_PARSE(app, argc, argv);

    if (blocking->parsed()) ping_pong_blocking(window, seconds);
    if (asio->parsed()) ping_pong_asio(window, seconds);
    if (append->parsed()) append_and_sync(folder, records, seconds);
    if (exchange->parsed()) durable_exchange(folder, window, seconds);
    if (phases->parsed()) two_phase_rounds(processes, rounds, folder);
    if (resend->parsed()) resend_exchange(window, seconds, floor_us);
#ifdef P2PBANK_HAS_ENET
    if (enet->parsed()) enet_exchange(window, seconds);
#endif
    return 0;
}
