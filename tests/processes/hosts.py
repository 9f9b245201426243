"""Several "hosts" on one machine, and the network between them, which may be a bad one.

Fault model: each host is a network namespace with one TUN device. Every IP packet between hosts
passes through `Network`, which loses, duplicates and delays each packet on its own with the given
probabilities; a delay of random length also reorders. Hosts can be cut off from each other. Packets
within a host are not touched. Bytes are never changed. Requires root and /dev/net/tun.
"""

import ctypes
import fcntl
import heapq
import os
import random
import select
import struct
import subprocess
import threading
import time

TUNSETIFF = 0x400454CA
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000
CLONE_NEWNET = 0x40000000


def why_not():
    """Why namespaces cannot be used here; nothing if they can."""
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "needs /dev/net/tun"
    try:
        done = subprocess.run(["ip", "netns", "list"], capture_output=True)
    except FileNotFoundError:
        return "needs the ip command (package iproute2)"
    if done.returncode:
        return "ip netns does not work here"
    trial = f"p2pbank-trial-{os.getpid()}"
    done = subprocess.run(["ip", "netns", "add", trial], capture_output=True, text=True)
    if done.returncode:
        return f"cannot make network namespaces: {done.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", trial], capture_output=True)
    return None


class Host:
    def __init__(self, number):
        self.address = f"10.77.0.{number}"
        self.namespace = f"p2pbank-{os.getpid()}-{number}"

    def command(self, command):
        """The command as it runs on this host; the process keeps its id."""
        return ["ip", "netns", "exec", self.namespace, *command]

    def start(self):
        """Makes the namespace; returns the file descriptor of its network device."""
        subprocess.run(["ip", "netns", "add", self.namespace], check=True)
        device = []
        thread = threading.Thread(target=lambda: device.append(self._open_device()))
        thread.start()  # a namespace is entered by a thread, and this one ends with it
        thread.join()
        for words in (
            "link set lo up",
            f"addr add {self.address}/24 dev tun0",
            "link set tun0 mtu 1500 up",
        ):
            subprocess.run(["ip", "-n", self.namespace, *words.split()], check=True)
        return device[0]

    def _open_device(self):
        libc = ctypes.CDLL(None, use_errno=True)
        with open(f"/var/run/netns/{self.namespace}") as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"tun0", IFF_TUN | IFF_NO_PI))
        return device

    def stop(self):
        subprocess.run(["ip", "netns", "del", self.namespace], check=False)


class Network:
    """Hosts 10.77.0.1 to 10.77.0.count. Leaving the `with` block takes all of it away."""

    def __init__(self, count, *, loss=0.0, duplicates=0.0, delays=0.0, delay_s=0.02, seed=1):
        self.hosts = [Host(number + 1) for number in range(count)]
        self.loss, self.duplicates = loss, duplicates
        self.delays, self.delay_s = delays, delay_s
        self.chance = random.Random(seed)
        self.cut_off = set()  # addresses that nothing reaches or leaves
        self.lost = self.passed = 0
        self._devices = {}

    def __enter__(self):
        try:
            for host in self.hosts:
                self._devices[host.address] = host.start()
        except BaseException:
            self.__exit__()
            raise
        self._ending = os.eventfd(0)
        self._thread = threading.Thread(target=self._carry, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        if hasattr(self, "_thread"):
            os.eventfd_write(self._ending, 1)
            self._thread.join()
            os.close(self._ending)
        for device in self._devices.values():
            os.close(device)
        for host in self.hosts:
            host.stop()

    def _carry(self):
        due = []  # (time, number, device, packet)
        count = 0
        while True:
            wait = max(0, due[0][0] - time.monotonic()) if due else None
            readable, _, _ = select.select([self._ending, *self._devices.values()], [], [], wait)
            if self._ending in readable:
                return
            for device in readable:
                for packet in self._read_all(device):
                    source, target = (".".join(map(str, packet[i : i + 4])) for i in (12, 16))
                    if packet[0] >> 4 != 4 or target not in self._devices:
                        continue  # not IPv4, or to nobody here
                    if self.cut_off & {source, target} or self.chance.random() < self.loss:
                        self.lost += 1
                        continue
                    copies = 2 if self.chance.random() < self.duplicates else 1
                    for _ in range(copies):
                        late = self.chance.random() < self.delays
                        delay = self.chance.uniform(0, self.delay_s) if late else 0
                        count += 1
                        heapq.heappush(
                            due, (time.monotonic() + delay, count, self._devices[target], packet)
                        )
            while due and due[0][0] <= time.monotonic():
                _, _, device, packet = heapq.heappop(due)
                try:
                    os.write(device, packet)
                    self.passed += 1
                except OSError:
                    self.lost += 1  # its queue is full: one more fault of the network

    @staticmethod
    def _read_all(device):
        while True:
            try:
                yield os.read(device, 65536)
            except BlockingIOError:
                return
