#!/usr/bin/env python3
"""Floods programs on this machine with datagrams that nobody wants, and says how many it has sent.

    flood.py [--kind KIND]... [--rate N] [--sources N] [--key HEX] ADDRESS...

KIND (all where none is given; the datagrams of several take turns):
    garbage       random bytes of 1 to 1,200
    sizes         empty, shorter than any packet, and longer than any packet, up to 65,507
    packets       packets of every type in both versions with random content
    initiations   handshakes that are begun, and rightly addressed, by keys that do not exist; wants
                  the receiver's channel key (--key; a bank tells it to whoever asks)

They come from so many addresses of 127.0.0.0/8 (--sources). Runs until it is ended; prints the
number of datagrams so far as a line of its own, ten times a second.
"""

import argparse
import ctypes
import hashlib
import ipaddress
import os
import pathlib
import random
import re
import socket
import struct
import sys
import time

BATCH = 64
DIFFERENT = 1024  # datagrams of each kind, which are sent again and again

PACKETS = pathlib.Path(__file__).resolve().parent.parent.parent / "common/secure/packets.h"
NAMES = (
    "Initiation",
    "Response",
    "Cookie",
    "",
    "KeyRequest",
    "KeyAnswer",
    "OtherMode",
    "NoSession",
)


def packet_sizes():
    """The size of each type of packet, None for that which has any."""
    text = PACKETS.read_text()
    found = (re.search(rf"k{name}Bytes = (\d+);", text) if name else None for name in NAMES)
    return {kind: int(size[1]) if size else None for kind, size in enumerate(found, 1)}


SIZES = packet_sizes()
MOST_BYTES = 1200
KEY_REQUEST, KEY_ANSWER = b"PB\2\5", b"PB\2\6"


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("bytes", ctypes.c_size_t)]


class Msghdr(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_void_p),
        ("name_bytes", ctypes.c_uint32),
        ("pieces", ctypes.POINTER(Iovec)),
        ("piece_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_bytes", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    ]


class Mmsghdr(ctypes.Structure):
    _fields_ = [("header", Msghdr), ("sent", ctypes.c_uint)]


def garbage(rng, _):
    return rng.randbytes(rng.randrange(1, MOST_BYTES + 1))


def sizes(rng, _):
    short = rng.random() < 0.5
    count = rng.randrange(4) if short else rng.choice((1201, 1202, 2048, 9000, 65507))
    return (b"PB\2\4" + rng.randbytes(count))[:count]


def packets(rng, _):
    kind = rng.randrange(len(SIZES) + 1)
    if kind == 0:
        return b"PB\1\0" + rng.randbytes(rng.randrange(4, MOST_BYTES - 3))
    size = SIZES[kind] or rng.randrange(32, MOST_BYTES + 1)
    return (b"PB\2" + bytes([kind]) + rng.randbytes(size))[:size]


def initiations(rng, key):
    """Everything that can be checked without a handshake is right: mac1, made with the key."""
    packet = b"PB\2\1" + rng.randbytes(4 + 32 + 48 + 16)
    label = hashlib.blake2b(b"mac1----" + key, digest_size=32).digest()
    return packet + hashlib.blake2b(packet, key=label, digest_size=16).digest() + bytes(16)


KINDS = {"garbage": garbage, "sizes": sizes, "packets": packets, "initiations": initiations}


def ask_key(address):
    """The channel key of the bank at this address, as anybody can ask for it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(0.2)
        for _ in range(50):
            asking.sendto(KEY_REQUEST + bytes(SIZES[5] - 4), address)
            try:
                answer = asking.recv(2048)
            except TimeoutError:
                continue
            if answer[:4] == KEY_ANSWER:
                return answer[12:44]
    raise SystemExit(f"flood: nobody answers at {address}")


def own_addresses(count):
    """`count` addresses of this machine, the first of which is the usual one."""
    return [ipaddress.ip_address(0x7F000001 + 7919 * i % 0xFFFFFE).packed for i in range(count)]


class Batches:
    """All datagrams as arguments of sendmmsg, made once. What they point to is kept here."""

    def __init__(self, datagrams, targets, sources):
        self.kept = []
        self.arrays = []
        names = [
            self._keep(struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", port, ip))
            for ip, port in targets
        ]
        controls = [self._keep(self._packet_info(source)) for source in sources]
        for begin in range(0, len(datagrams), BATCH):
            batch = datagrams[begin : begin + BATCH]
            array = (Mmsghdr * len(batch))()
            for i, (slot, datagram) in enumerate(zip(array, batch), begin):
                piece = Iovec(ctypes.addressof(self._keep(datagram)), len(datagram))
                self.kept.append(piece)
                name, control = names[i % len(names)], controls[i % len(controls)]
                slot.header = Msghdr(
                    ctypes.addressof(name), 16, ctypes.pointer(piece), 1,
                    ctypes.addressof(control), len(control), 0,
                )  # fmt: skip
            self.arrays.append(array)

    def _keep(self, data):
        buffer = (ctypes.c_char * len(data)).from_buffer_copy(data)
        self.kept.append(buffer)
        return buffer

    @staticmethod
    def _packet_info(source):
        """The control message that says from which of this machine's addresses to send."""
        header = struct.pack("=QiI", 28, socket.IPPROTO_IP, 8)  # IP_PKTINFO
        return header + struct.pack("=i4s4s", 0, source, bytes(4)) + bytes(4)


def run(options):
    rng = random.Random(1)
    targets = []
    for text in options.addresses:
        ip, _, port = text.partition(":")
        targets.append((ipaddress.ip_address(ip).packed, int(port)))
    key = bytes.fromhex(options.key) if options.key else None
    kinds = options.kind or list(KINDS)
    if "initiations" in kinds and not key:
        ip, port = targets[0]
        key = ask_key((str(ipaddress.ip_address(ip)), port))
    datagrams = [KINDS[kind](rng, key) for _ in range(DIFFERENT) for kind in kinds]
    batches = Batches(datagrams, targets, own_addresses(options.sources))
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        began = told = time.monotonic()
        sent = turn = 0
        while True:
            now = time.monotonic()
            if now - told >= 0.1:
                print(sent, flush=True)
                told = now
            behind = options.rate and sent >= (now - began) * options.rate
            if behind:
                time.sleep(0.0002)
                continue
            array = batches.arrays[turn % len(batches.arrays)]
            turn += 1
            sent += max(0, sendmmsg(sending.fileno(), array, len(array), 0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kind", action="append", choices=KINDS)
    parser.add_argument("--rate", type=int, default=0, help="datagrams a second; 0: all it can")
    parser.add_argument("--sources", type=int, default=1)
    parser.add_argument("--key", help="of the receiver; 64 hexadecimal digits")
    parser.add_argument("addresses", nargs="+", help="as in 127.0.0.1:8500")
    options = parser.parse_args()
    try:
        run(options)
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
