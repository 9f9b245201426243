#include "tests/fuzz/targets.h"

namespace p2pbank::fuzz {

std::span<const Target> targets() {
    static constexpr Target kTargets[] = {
        {"bank_messages", bank_messages}, {"customer_messages", customer_messages},
        {"bank_sealed", bank_sealed},     {"customer_sealed", customer_sealed},
        {"bank_lines", bank_lines},       {"customer_lines", customer_lines},
        {"bank_records", bank_records},   {"customer_records", customer_records},
        {"journal_file", journal_file},   {"csv_files", csv_files},
        {"handshake", handshake},         {"text", text},
    };
    return kTargets;
}

}  // namespace p2pbank::fuzz
