#include "simulator/tally.h"

#include <utility>

namespace p2pbank::simulator {
namespace {

using Field = std::pair<const char*, uint64_t Tally::*>;

constexpr Field kNetwork[] = {
    {"sent", &Tally::sent},
    {"delivered", &Tally::delivered},
    {"lost", &Tally::lost},
    {"duplicated", &Tally::duplicated},
    {"much later", &Tally::late},
    {"delayed", &Tally::delayed},
    {"corrupted", &Tally::corrupted},
    {"truncated", &Tally::truncated},
    {"partitions", &Tally::partitions},
    {"cut off", &Tally::cut},
    {"clogs", &Tally::clogs},
    {"clogged", &Tally::clogged},
    {"to the dead", &Tally::dead},
    {"attacks", &Tally::attacks},
};
constexpr Field kMachines[] = {
    {"starts", &Tally::starts},
    {"crashes", &Tally::crashes},
    {"between effects", &Tally::crashes_between_effects},
    {"in disk work", &Tally::crashes_in_disk_work},
    {"syncs", &Tally::syncs},
    {"journals replaced", &Tally::replacements},
    {"sectors lost", &Tally::sectors_dropped},
    {"sectors kept", &Tally::sectors_kept},
    {"torn frames", &Tally::torn_frames},
    {"disk errors", &Tally::disk_errors},
    {"freezes", &Tally::freezes},
    {"clock jumps", &Tally::clock_jumps},
    {"flipped bits", &Tally::flips},
    {"of them noticed", &Tally::flips_noticed},
};
constexpr Field kWork[] = {
    {"commands", &Tally::commands},
    {"success", &Tally::successes},
    {"failure", &Tally::failures},
    {"unknown", &Tally::unknowns},
    {"unanswered", &Tally::unanswered},
    {"commits", &Tally::commits},
    {"aborts", &Tally::aborts},
    {"deals", &Tally::deals},
    {"refused", &Tally::deals_refused},
    {"settled", &Tally::deals_settled},
    {"cancelled", &Tally::deals_cancelled},
};

template <size_t N>
void append(std::string& out, const char* title, const Field (&fields)[N], const Tally& tally) {
    out += std::string("  ") + title + ":";
    const char* separator = " ";
    for (const auto& [name, field] : fields) {
        out += separator + std::string(name) + " " + std::to_string(tally.*field);
        separator = ", ";
    }
    out += "\n";
}

}  // namespace

void Tally::add(const Tally& other) {
    for (const auto& field : kNetwork) this->*field.second += other.*field.second;
    for (const auto& field : kMachines) this->*field.second += other.*field.second;
    for (const auto& field : kWork) this->*field.second += other.*field.second;
}

uint64_t faults_in(const Tally& tally) {
    return tally.lost + tally.duplicated + tally.late + tally.delayed + tally.corrupted +
           tally.truncated + tally.partitions + tally.clogs + tally.attacks + tally.crashes +
           tally.disk_errors + tally.freezes + tally.clock_jumps + tally.flips;
}

std::string to_text(const Tally& tally) {
    std::string out;
    append(out, "datagrams", kNetwork, tally);
    append(out, "processes", kMachines, tally);
    append(out, "work", kWork, tally);
    return out;
}

}  // namespace p2pbank::simulator
