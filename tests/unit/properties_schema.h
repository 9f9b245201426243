// Messages with arbitrary contents, drawn by what common/wire/*.proto says: a message or a field
// that is added there is drawn as well. The encoding is written down here once more, so that it is
// compared with what the programs send and not with itself.
#pragma once

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "tests/unit/properties.h"

namespace p2pbank::testing {

class Schema {
  public:
    struct Field {
        uint32_t number = 0;
        std::string type;
        std::string name;
        bool repeated = false;
        std::string one_of;  // of these only one can be there
    };

    // Of the files of a folder, in this order.
    Schema(const std::string& folder, const std::vector<std::string>& files) {
        for (const std::string& file : files) read(folder + "/" + file);
    }
    const std::vector<Field>& fields(const std::string& message) const {
        return messages_.at(message);
    }
    bool is_message(const std::string& type) const { return messages_.contains(type); }
    bool is_enum(const std::string& type) const { return enums_.contains(type); }

  private:
    void read(const std::string& path) {
        std::ifstream in(path);
        REQUIRE_MESSAGE(in.good(), path);
        std::stringstream spaced;
        for (std::string line; std::getline(in, line);) {
            for (const char c : line.substr(0, line.find("//"))) {
                const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
                spaced << (word ? std::string(1, c) : std::string{' ', c, ' '});
            }
            spaced << ' ';
        }
        std::string word;
        while (spaced >> word) {
            if (word == "message") {
                spaced >> word;
                auto& fields = messages_[word];
                read_message(spaced, "", fields);
                std::sort(fields.begin(), fields.end(),
                          [](const Field& a, const Field& b) { return a.number < b.number; });
            } else if (word == "enum") {
                spaced >> word;
                enums_.insert(word);
                while (word != "}") REQUIRE(bool(spaced >> word));
            } else {
                while (word != ";") REQUIRE(bool(spaced >> word));
            }
        }
    }
    void read_message(std::istream& in, const std::string& one_of, std::vector<Field>& fields) {
        std::string word;
        REQUIRE(bool(in >> word));
        REQUIRE(word == "{");
        while (in >> word && word != "}") {
            if (word == "oneof") {
                REQUIRE(bool(in >> word));
                read_message(in, word, fields);
                continue;
            }
            if (word == "reserved") {
                while (word != ";") REQUIRE(bool(in >> word));
                continue;
            }
            Field field;
            field.one_of = one_of;
            field.repeated = word == "repeated";
            if (field.repeated) in >> word;
            field.type = word;
            REQUIRE(bool(in >> field.name >> word >> field.number));
            REQUIRE(word == "=");
            while (word != ";") REQUIRE(bool(in >> word));
            fields.push_back(field);
        }
        REQUIRE(word == "}");
    }

    std::map<std::string, std::vector<Field>> messages_;
    std::set<std::string> enums_;
};

// A message's content: its fields as they stand in the encoding, numbers rising.
struct Drawn {
    struct Entry {
        uint32_t number = 0;
        std::string bytes;               // with the tag
        std::shared_ptr<Drawn> message;  // or this
    };
    std::vector<Entry> entries;
};

inline void append_varint(std::string& out, uint64_t value) {
    for (; value >= 128; value >>= 7) out += static_cast<char>((value & 127) | 128);
    out += static_cast<char>(value);
}

inline void append_fixed(std::string& out, uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i) & 255);
}

inline std::string tag(uint32_t number, uint32_t wire_type) {
    std::string out;
    append_varint(out, number << 3 | wire_type);
    return out;
}

// One after the other by their numbers; with `shuffle`, in any order that leaves those of one
// number among themselves as they are: it means the same.
inline std::string encode(const Drawn& drawn, std::mt19937_64* shuffle = nullptr) {
    std::map<uint32_t, std::string> by_number;
    for (const Drawn::Entry& entry : drawn.entries) {
        std::string& out = by_number[entry.number];
        out += entry.bytes;
        if (!entry.message) continue;
        const std::string inner = encode(*entry.message, shuffle);
        out += tag(entry.number, 2);
        append_varint(out, inner.size());
        out += inner;
    }
    std::vector<std::string> parts;
    for (auto& [number, bytes] : by_number) parts.push_back(std::move(bytes));
    if (shuffle != nullptr) std::shuffle(parts.begin(), parts.end(), *shuffle);
    std::string out;
    for (const std::string& part : parts) out += part;
    return out;
}

// Draws, so it is called inside of properties only.
class Drawing {
  public:
    explicit Drawing(const Schema& schema) : schema_(schema) {}

    // With these fields in any case, and others of its message fields only if `others`.
    Drawn message(const std::string& type, const std::set<std::string>& wanted = {},
                  bool others = true) const {
        Drawn out;
        std::set<std::string> taken;  // of which a field is there
        for (const Schema::Field& field : schema_.fields(type)) {
            const bool must = wanted.contains(field.name);
            if (!must && !others && schema_.is_message(field.type)) continue;
            if (!field.one_of.empty() && taken.contains(field.one_of)) continue;
            if (!must && *rc::gen::inRange(0, 3) == 0) continue;
            if (!field.one_of.empty()) taken.insert(field.one_of);
            add(out, field);
        }
        return out;
    }

  private:
    void add(Drawn& out, const Schema::Field& field) const {
        const int count = field.repeated ? *rc::gen::inRange(1, 4) : 1;
        if (schema_.is_message(field.type)) {
            for (int i = 0; i < count; ++i) {
                out.entries.push_back(
                    {field.number, "", std::make_shared<Drawn>(message(field.type))});
            }
            return;
        }
        const bool text = field.type == "string" || field.type == "bytes";
        if (field.repeated && !text) {  // packed
            std::string values;
            for (int i = 0; i < count; ++i) values += scalar(field.type).second;
            std::string bytes = tag(field.number, 2);
            append_varint(bytes, values.size());
            out.entries.push_back({field.number, bytes + values, nullptr});
            return;
        }
        for (int i = 0; i < count; ++i) {
            const auto [wire_type, value] = scalar(field.type);
            // What has the value that it has without being there is not written.
            const bool nothing = value.find_first_not_of('\0') == std::string::npos;
            if (nothing && !field.repeated && !(text && value.size() > 1)) continue;
            out.entries.push_back({field.number, tag(field.number, wire_type) + value, nullptr});
        }
    }
    // With the number of its way of being written.
    std::pair<uint32_t, std::string> scalar(const std::string& type) const {
        std::string out;
        if (type == "string") {
            const auto some =
                *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
                    "a", "Z", "9", "-", "/", " ", "\n", "\x01", std::string(1, '\0'), "\xc3\xa9",
                    "\xe2\x82\xac", "\xf0\x9f\x98\x80"));
            std::string joined;
            for (const std::string& one : some) joined += one;
            append_varint(out, joined.size());
            return {2, out + joined};
        }
        if (type == "bytes") {
            const auto bytes = *rc::gen::oneOf(
                any_bytes(12),
                rc::gen::map(rc::gen::pair(rc::gen::element<size_t>(31, 32, 33, 63, 64, 65),
                                           rc::gen::arbitrary<char>()),
                             [](const std::pair<size_t, char>& many) {
                                 return std::string(many.first, many.second);
                             }));
            append_varint(out, bytes.size());
            return {2, out + bytes};
        }
        const uint64_t number = *any_number();
        if (type == "fixed64") {
            append_fixed(out, number, 8);
            return {1, out};
        }
        if (type == "fixed32") {
            append_fixed(out, number, 4);
            return {5, out};
        }
        if (type == "bool") {
            append_varint(out, number % 2);
        } else if (type == "uint32") {
            append_varint(out, number & UINT32_MAX);
        } else if (schema_.is_enum(type)) {  // 32 bits with a sign, also what it has no name for
            const auto value = static_cast<int32_t>(static_cast<uint32_t>(number));
            append_varint(out, static_cast<uint64_t>(int64_t{value}));
        } else if (type == "sint64") {
            const auto value = static_cast<int64_t>(number);
            append_varint(out, (number << 1) ^ static_cast<uint64_t>(value >> 63));
        } else {
            REQUIRE(type == "uint64");
            append_varint(out, number);
        }
        return {0, out};
    }

    const Schema& schema_;
};

// The datagrams and what is in them.
inline const Schema& wire_schema() {
    static const Schema schema(P2PBANK_SCHEMA_FOLDER, {"values.proto", "messages.proto"});
    return schema;
}

}  // namespace p2pbank::testing
