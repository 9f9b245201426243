#include "simulator/shrink.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace p2pbank::simulator {
namespace {

using Numbers = std::set<uint64_t>;

Numbers without_slice(const std::vector<uint64_t>& all, size_t from, size_t to) {
    Numbers out(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(from));
    out.insert(all.begin() + static_cast<std::ptrdiff_t>(to), all.end());
    return out;
}

class Shrinker {
  public:
    Shrinker(const RunSettings& settings, const RunResult& failed,
             const std::function<RunResult(const RunSettings&)>& run, uint64_t most_runs)
        : run_(run), invariant_(failed.violation->invariant), most_runs_(most_runs) {
        best_.settings = settings;
        best_.result = failed;
    }

    Shrunk run() {
        shorten();
        fewer_customers();
        while (go_on()) {
            const size_t before = size();
            fewer_kinds();
            fewer_faults();
            fewer_steps();
            if (size() == before) break;
        }
        fewer_customers();
        return best_;
    }

  private:
    bool go_on() const { return best_.runs < most_runs_; }

    bool fails(const RunSettings& settings) {
        if (!go_on()) return false;
        ++best_.runs;
        RunResult result = run_(settings);
        if (!result.violation || result.violation->invariant != invariant_) return false;
        best_.settings = settings;
        best_.result = std::move(result);
        return true;
    }

    Numbers steps() const {
        if (best_.settings.only_steps) return *best_.settings.only_steps;
        Numbers all;
        for (uint64_t step = 1; step <= best_.settings.steps; ++step) all.insert(step);
        return all;
    }
    // Those that fired; of a process that died nobody knows them.
    Numbers faults() const {
        Numbers all;
        for (const FaultGate::Fired& fault : best_.result.faults) all.insert(fault.number);
        if (all.empty() && best_.settings.only_faults) return *best_.settings.only_faults;
        return all;
    }
    size_t size() const {
        return steps().size() + faults().size() + (best_.settings.only_faults ? 0 : 1);
    }

    // Half as many steps, as long as that fails.
    void shorten() {
        while (go_on() && best_.settings.steps > 1) {
            RunSettings fewer = best_.settings;
            fewer.steps /= 2;
            if (!fails(fewer)) break;
        }
    }

    void fewer_customers() {
        const size_t now =
            best_.settings.customers != 0 ? best_.settings.customers : best_.result.customers;
        for (size_t count = best_.settings.liar ? 3 : 1; count < now && go_on(); ++count) {
            RunSettings fewer = best_.settings;
            fewer.customers = count;
            if (fails(fewer)) return;
        }
    }

    // None at all; else, each kind of fault as a whole.
    void fewer_kinds() {
        RunSettings tried = best_.settings;
        tried.only_faults = Numbers();
        if (fails(tried)) return;
        std::set<Fault> kinds;
        for (const FaultGate::Fired& fault : best_.result.faults) kinds.insert(fault.kind);
        for (const Fault kind : kinds) {
            Numbers rest;
            for (const FaultGate::Fired& fault : best_.result.faults) {
                if (fault.kind != kind) rest.insert(fault.number);
            }
            tried.only_faults = std::move(rest);
            static_cast<void>(fails(tried));
        }
    }

    void fewer_faults() {
        const auto still = [&](const Numbers& some) {
            RunSettings tried = best_.settings;
            tried.only_faults = some;
            return fails(tried);
        };
        const Numbers all = faults();
        if (!all.empty()) static_cast<void>(minimized(all, still, [&] { return go_on(); }));
    }

    void fewer_steps() {
        const auto still = [&](const Numbers& some) {
            RunSettings tried = best_.settings;
            tried.only_steps = some;
            return fails(tried);
        };
        const Numbers all = steps();
        if (!all.empty()) static_cast<void>(minimized(all, still, [&] { return go_on(); }));
        // What is behind the last one is only waiting.
        if (best_.settings.only_steps) {
            RunSettings tried = best_.settings;
            tried.steps = tried.only_steps->empty() ? 1 : *tried.only_steps->rbegin();
            if (tried.steps != best_.settings.steps) static_cast<void>(fails(tried));
        }
    }

    const std::function<RunResult(const RunSettings&)>& run_;
    std::string invariant_;
    uint64_t most_runs_;
    Shrunk best_;
};

}  // namespace

std::set<uint64_t> minimized(const std::set<uint64_t>& all,
                             const std::function<bool(const std::set<uint64_t>&)>& fails,
                             const std::function<bool()>& go_on) {
    std::vector<uint64_t> kept(all.begin(), all.end());
    size_t slices = 1;  // the first try is to take away everything
    while (!kept.empty() && go_on()) {
        bool smaller = false;
        for (size_t i = 0; i < slices && go_on(); ++i) {
            const size_t from = kept.size() * i / slices;
            const size_t to = kept.size() * (i + 1) / slices;
            const Numbers rest = without_slice(kept, from, to);
            if (!fails(rest)) continue;
            kept.assign(rest.begin(), rest.end());
            slices = std::max<size_t>(slices - 1, 1);
            smaller = true;
            break;
        }
        if (smaller) continue;
        if (slices >= kept.size()) break;
        slices = std::min(2 * slices, kept.size());
    }
    return {kept.begin(), kept.end()};
}

Shrunk shrink(const RunSettings& settings, const RunResult& failed,
              const std::function<RunResult(const RunSettings&)>& run, uint64_t most_runs) {
    return Shrinker(settings, failed, run, most_runs).run();
}

std::string command_line(const RunSettings& settings) {
    const RunSettings usual;
    std::string out = "--seed " + std::to_string(settings.seed);
    if (settings.liar) out += " --liar";
    if (settings.customers != 0) out += " --customers " + std::to_string(settings.customers);
    if (settings.steps != usual.steps) out += " --steps " + std::to_string(settings.steps);
    if (settings.mode != usual.mode) out += " --mode " + std::string(name_of(settings.mode));
    if (settings.faults != usual.faults) {
        out += " --faults " + std::string(name_of(settings.faults));
    }
    const auto selection = [](const Numbers& numbers) {
        return numbers.empty() ? std::string("none") : to_text(numbers);
    };
    if (settings.only_steps) out += " --only-steps " + selection(*settings.only_steps);
    if (settings.only_faults) out += " --only-faults " + selection(*settings.only_faults);
    return out;
}

}  // namespace p2pbank::simulator
