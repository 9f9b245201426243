// Reliable messages there and back over ENet, which packs many into a datagram.
#include <enet/enet.h>

#include "tests/bench/processes.h"
#include "tests/bench/reference.h"

namespace p2pbank::bench {
namespace {

ENetHost* host_on_loopback() {
    ENetAddress address;
    enet_address_set_host_ip(&address, "127.0.0.1");
    address.port = ENET_PORT_ANY;
    ENetHost* host = enet_host_create(&address, 2, 1, 0, 0);
    if (host == nullptr) die("enet_host_create");
    return host;
}

void send_message(ENetPeer* peer, const Message& message) {
    enet_peer_send(peer, 0,
                   enet_packet_create(&message, sizeof message, ENET_PACKET_FLAG_RELIABLE));
}

// Waits for one event, takes all others that are there, then sends what they led to, packed.
template <class OnEvent>
void serve(ENetHost* host, OnEvent on_event) {
    ENetEvent event;
    int any = enet_host_service(host, &event, 1);  // ENet looks at its timeouts when it is called
    for (; any > 0; any = enet_host_check_events(host, &event)) on_event(event);
    enet_host_flush(host);
}

Message message_of(ENetEvent& event) {
    Message message;
    std::copy_n(event.packet->data, sizeof message, reinterpret_cast<unsigned char*>(&message));
    enet_packet_destroy(event.packet);
    return message;
}

}  // namespace

void enet_exchange(size_t window, double seconds) {
    enet_initialize();
    ENetHost* server = host_on_loopback();
    Children children;
    children.start([&] {
        for (;;) {
            serve(server, [](ENetEvent& event) {
                if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                    send_message(event.peer, message_of(event));
                }
            });
        }
    });
    ENetHost* client = host_on_loopback();
    ENetAddress there;
    enet_address_set_host_ip(&there, "127.0.0.1");
    there.port = server->address.port;
    ENetPeer* peer = enet_host_connect(client, &there, 1, 0);
    Times times;
    const uint64_t give_up = now_ns() + 20'000'000'000;
    uint64_t end = give_up;
    while (now_ns() < end) {
        serve(client, [&](ENetEvent& event) {
            Message message;
            if (event.type == ENET_EVENT_TYPE_CONNECT) {
                times.start();
                end = now_ns() + static_cast<uint64_t>(seconds * 1e9);
                for (size_t i = 0; i < window; ++i) {
                    message.sent_ns = now_ns();
                    send_message(peer, message);
                }
            } else if (event.type == ENET_EVENT_TYPE_RECEIVE) {
                message = message_of(event);
                const uint64_t now = now_ns();
                times.add(now - message.sent_ns);
                message.sent_ns = now;
                send_message(peer, message);
            }
        });
    }
    times.print();
}

}  // namespace p2pbank::bench
