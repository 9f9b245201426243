// A thread that no signal comes to: signals are for the loop, and a thread starts with the mask of
// the one that makes it. Used inside common/runtime.
#pragma once

#include <csignal>
#include <thread>
#include <utility>

namespace p2pbank {

template <class Run>
std::thread quiet_thread(Run run) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::move(run));
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

}  // namespace p2pbank
