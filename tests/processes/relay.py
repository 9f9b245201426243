"""Somebody between customers and their bank, who passes on every datagram and keeps a copy.

To a customer the relay's own address (`port`) is the bank's; to the bank each customer is a socket of
the relay (`back`). So each copy can be sent again from where it came from, and so can anything else.
What a stranger sends and gets is counted by `Stranger`.
"""

import collections
import pathlib
import random
import selectors
import socket
import threading
import time
from dataclasses import dataclass

from harness import World
from programs import ANSWER_DEADLINE_S, Failed

HOST = "127.0.0.1"
MOST_BYTES = 65_535
# Sent without a look at whether they are taken in: they fit into a socket's buffer.
AT_ONCE = 20
HEADER_BYTES = 16  # of a sealed packet: common/secure/packets.h


@dataclass(frozen=True)
class Copy:
    customer: int  # its port for the bank
    to_bank: bool
    payload: bytes


def udp_socket(port=0):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((HOST, port))
    return made


class Relay:
    """Its thread passes datagrams on from the first moment to close(). `meddle` may give, for a
    datagram that is about to be passed on, others that are sent before it."""

    def __init__(self, bank_port, meddle=lambda copy: []):
        self.bank_port = bank_port
        self.copies = []
        self._meddle = meddle
        self._front = udp_socket()
        self.port = self._front.getsockname()[1]
        self._backs = {}  # a customer's port -> the socket that the bank takes for that customer
        self._traffic = {}  # the same -> [bytes to the bank, bytes from it]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._ends, self._end = socket.socketpair()
        self._selector.register(self._ends, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def close(self):
        self._end.send(b"x")
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()
        self._end.close()
        self._selector.close()

    def _pass_on(self):
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._ends:
                    return
                payload, source = key.fileobj.recvfrom(MOST_BYTES)
                if key.data is not None:
                    if source == (HOST, self.bank_port):
                        self._traffic[key.data][1] += len(payload)
                        self._take(Copy(key.data, False, payload))
                    continue
                if source[1] not in self._backs:
                    back = udp_socket()
                    self._traffic[source[1]] = [0, 0]
                    self._backs[source[1]] = back
                    self._selector.register(back, selectors.EVENT_READ, source[1])
                self._take(Copy(source[1], True, payload))

    def _take(self, copy):
        for other in self._meddle(copy):
            self.send(other)
        self.send(copy)
        self.copies.append(copy)

    def to_bank(self, customer, payload):
        self._traffic[customer][0] += len(payload)
        self._backs[customer].sendto(payload, (HOST, self.bank_port))

    def to_customer(self, customer, payload):
        self._front.sendto(payload, (HOST, customer))

    def send(self, copy):
        """To where it was going, from where it came from."""
        (self.to_bank if copy.to_bank else self.to_customer)(copy.customer, copy.payload)

    def send_all(self, copies):
        """In order; each is taken in by whoever it is for."""
        for number, copy in enumerate(copies):
            self.send(copy)
            if number % AT_ONCE == AT_ONCE - 1:
                self._wait_taken(copies)
        self._wait_taken(copies)

    def _wait_taken(self, copies):
        for port in {self.bank_port if copy.to_bank else copy.customer for copy in copies}:
            wait_taken(port)

    def forget_traffic(self):
        """From now on the bank's bytes to each customer are counted anew, as are those to it."""
        for counts in self._traffic.values():
            counts[:] = [0, 0]

    def traffic(self):
        """Of each customer, since then: (bytes to the bank, bytes from it)."""
        for back in list(self._backs.values()):
            wait_taken(back.getsockname()[1])
        return [tuple(counts) for counts in self._traffic.values()]


class RelayedWorld(World):
    """Every customer's bank is the relay."""

    def make_relay(self):
        return Relay(self.bank.port)

    def __enter__(self):
        super().__enter__()
        self.relay = self.make_relay()
        return self

    def __exit__(self, *error):
        try:
            super().__exit__(*error)
        finally:
            self.relay.close()

    @property
    def bank_address(self):
        return f"127.0.0.1:{self.relay.port}"


class Stranger:
    """Addresses that nobody knows, one for each size of datagram: none of these ports may send to
    one of them more bytes than came from it."""

    def __init__(self, ports):
        self._ports = set(ports)
        self._sockets = {}  # size of a datagram -> socket
        self._sent = collections.Counter()  # (size, port) -> bytes
        self._got = collections.Counter()

    def close(self):
        for made in self._sockets.values():
            made.close()

    def send_all(self, port, payloads):
        for number, payload in enumerate(payloads):
            size = len(payload)
            if size not in self._sockets:
                self._sockets[size] = udp_socket()
                self._sockets[size].setblocking(False)
            self._sockets[size].sendto(payload, (HOST, port))
            self._sent[size, port] += size
            if number % AT_ONCE == AT_ONCE - 1:
                wait_taken(port)
                self.check()
        wait_taken(port)

    def check(self):
        """Takes what has come so far, and fails if it is more than was sent."""
        for size, own in self._sockets.items():
            while True:
                try:
                    payload, source = own.recvfrom(MOST_BYTES)
                except BlockingIOError:
                    break
                if source[1] in self._ports:  # not from another test, to whoever was here before
                    self._got[size, source[1]] += len(payload)
        for (size, port), got in self._got.items():
            if got > self._sent[size, port]:
                raise Failed(
                    f"port {port} sent {got} bytes to an address that had not answered, for "
                    f"{self._sent[size, port]} bytes from there in datagrams of {size}"
                )

    def got(self, port):
        return sum(got for (_, other), got in self._got.items() if other == port)


def bytes_waiting(port):
    """In the socket at that port; nothing where there is none."""
    for line in pathlib.Path("/proc/net/udp").read_text().splitlines()[1:]:
        words = line.split()
        if int(words[1].split(":")[1], 16) == port:
            return int(words[4].split(":")[1], 16)
    return None


def wait_taken(port):
    """Until the program at that port has taken in what was sent to it, if there is one. What it
    does then is done when it has answered something that was asked later."""
    end = time.monotonic() + ANSWER_DEADLINE_S
    while bytes_waiting(port):
        if time.monotonic() > end:
            raise Failed(f"the program at port {port} does not take in what is sent to it")
        time.sleep(0.0005)


# What may be sent before a datagram, as functions of it.


class Flips:
    """The same with one bit changed, several times."""

    def __init__(self, seed, times):
        self._chance = random.Random(seed)
        self._times = times

    def __call__(self, copy):
        return [self._flipped(copy) for _ in range(self._times)]

    def _flipped(self, copy):
        changed = bytearray(copy.payload)
        bit = self._chance.randrange(8 * len(changed))
        changed[bit // 8] ^= 1 << bit % 8
        return Copy(copy.customer, copy.to_bank, bytes(changed))


class Splices:
    """Its header with the body of the one before it on the same way, and the other way round."""

    def __init__(self):
        self._last = {}

    def __call__(self, copy):
        way = (copy.customer, copy.to_bank)
        before = self._last.get(way)
        self._last[way] = copy.payload
        if before is None:
            return []
        return [
            Copy(*way, one[:HEADER_BYTES] + other[HEADER_BYTES:])
            for one, other in ((copy.payload, before), (before, copy.payload))
        ]


def sent_by(pcap, port):
    """What a program's recording (--pcap) shows that it sent from this port: (port to, payload)."""
    data = pathlib.Path(pcap).read_bytes()
    found = []
    at = 24
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8 : at + 12], "little")
        packet = data[at + 16 : at + 16 + size]
        at += 16 + size
        if int.from_bytes(packet[20:22], "big") == port:
            found.append((int.from_bytes(packet[22:24], "big"), packet[28:]))
    return found
