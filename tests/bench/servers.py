"""Redis and PostgreSQL as private servers: on a free loopback port, with files in a folder of ours,
gone at the end. Where they are not installed, `missing` says so."""

import glob
import os
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile
import time

from programs import Failed, on_core, scratch

ACCOUNTS = 1000
START_DEADLINE_S = 30

TRANSFER_LUA = """
local balance = tonumber(redis.call('GET', KEYS[1]) or '1000000')
local amount = tonumber(ARGV[1])
if balance < amount then return 0 end
redis.call('SET', KEYS[1], balance - amount)
redis.call('INCRBY', KEYS[2], amount)
return 1
"""

TRANSFER_SQL = f"""
\\set giver random(1, {ACCOUNTS // 2})
\\set taker random({ACCOUNTS // 2 + 1}, {ACCOUNTS})
BEGIN;
UPDATE accounts SET balance = balance - 1 WHERE id = :giver;
UPDATE accounts SET balance = balance + 1 WHERE id = :taker;
END;
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what):
    end = time.monotonic() + START_DEADLINE_S
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited in vain for {what}")
        time.sleep(0.02)


def find_program(name, *patterns):
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    return shutil.which(name) or (found[-1] if found else None)


class Server:
    def __init__(self):
        self.missing = ""
        self.folder = None
        self.process = None

    def __enter__(self):
        if not self.missing:
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="p2pbank-bench-", dir=scratch()))
            try:
                self.start()
            except (Failed, OSError, subprocess.CalledProcessError) as error:
                self.missing = "did not start"
                print(f"bench: {type(self).__name__} did not start: {error}", flush=True)
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def start(self):
        raise NotImplementedError

    def transfers_per_second(self, seconds):
        raise NotImplementedError


class Redis(Server):
    CLIENTS = 50

    def __init__(self):
        super().__init__()
        self.server = find_program("redis-server")
        self.benchmark = find_program("redis-benchmark")
        self.client = find_program("redis-cli")
        if not (self.server and self.benchmark and self.client):
            self.missing = "not installed"

    def start(self):
        self.port = free_port()
        command = [self.server, "--port", self.port, "--bind", "127.0.0.1", "--dir", self.folder]
        command += ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.DEVNULL, preexec_fn=on_core(None)
        )
        wait_for(lambda: self._ask("ping") == "PONG", "Redis")
        self.script = self._ask("script", "load", TRANSFER_LUA)

    def _ask(self, *words):
        command = [self.client, "-p", str(self.port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    def transfers_per_second(self, seconds):
        # redis-benchmark wants a number of requests: first find out what a second holds.
        requests = int(self._run(5_000) * seconds)
        return self._run(max(requests, 5_000))

    def _run(self, requests):
        command = [self.benchmark, "-p", self.port, "-c", self.CLIENTS, "-n", requests]
        command += ["-r", ACCOUNTS, "-q", "evalsha", self.script, 2]
        command += ["giver:__rand_int__", "taker:__rand_int__", 1]
        done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=True)
        found = re.findall(r"([\d.]+) requests per second", done.stdout)
        if not found:
            raise Failed(f"redis-benchmark: {done.stdout} {done.stderr}")
        return float(found[-1])


class Postgres(Server):
    CLIENTS = 32

    def __init__(self):
        super().__init__()
        folders = "/usr/lib/postgresql/*/bin/"
        names = ("initdb", "postgres", "pgbench", "psql")
        self.programs = {name: find_program(name, folders + name) for name in names}
        if not all(self.programs.values()):
            self.missing = "not installed"

    def _as_user(self):
        """PostgreSQL refuses to run as root: then as the user of its package, or as nobody."""
        if os.geteuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            try:
                shutil.chown(self.folder, name)
                return {"user": name, "group": "nogroup", "extra_groups": []}
            except LookupError:
                continue
        raise Failed("no user to run it as")

    def start(self):
        self.user = self._as_user()
        self.port = free_port()
        data = self.folder / "data"
        init = [self.programs["initdb"], "-D", data, "-U", "bank", "-A", "trust", "--no-sync"]
        subprocess.run(init, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, **self.user)
        command = [self.programs["postgres"], "-D", data, "-p", self.port, "-k", self.folder]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=on"]
        command += ["-c", "synchronous_commit=on", "-c", "max_connections=60"]
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            preexec_fn=on_core(None),
            **self.user,
        )
        wait_for(lambda: self._sql("SELECT 1").returncode == 0, "PostgreSQL")
        made = self._sql(
            "CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL) WITH (fillfactor=50);"
            f"INSERT INTO accounts SELECT i, 1000000 FROM generate_series(1, {ACCOUNTS}) i"
        )
        if made.returncode != 0:
            raise Failed(made.stderr)
        self.transaction = self.folder / "transfer.sql"
        self.transaction.write_text(TRANSFER_SQL)

    def _sql(self, text):
        command = [self.programs["psql"], *self._connection(), "-q", "-c", text]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def _connection(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", "bank", "postgres"]

    def transfers_per_second(self, seconds):
        command = [self.programs["pgbench"], "-n", "-M", "prepared", "-f", self.transaction]
        command += ["-c", self.CLIENTS, "-j", 2, "-T", max(1, round(seconds))]
        command += self._connection()
        done = subprocess.run([str(w) for w in command], capture_output=True, text=True, check=True)
        return float(re.search(r"tps = ([\d.]+)", done.stdout).group(1))
