"""The warm process: has torch imported and forks workers into sandboxes of their own.

Runs no foreign code. Started by `lathe` with a clean environment; descriptor 3 is its socket. The
requests are in docs/evaluation_protocol.md.

A worker is three processes: its *guard*, a child of this process, leads the process group and says
how the worker ended; the *init* reaps orphans as process 1 of the sandbox's own pid namespace; the
*worker* proper runs foreign code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import socket
import sys
import traceback
from typing import Any, NoReturn

CHANNEL = 3
MESSAGE_SIZE = 128 * 1024
USER = 1000  # of the candidate, as it sees itself
NOBODY = 65534  # who that is outside when Lathe runs as root
SETUP_LIMIT = 20.0  # [seconds] for a worker's sandbox


class SpawnError(Exception):
    """A worker could not be made."""


def main() -> None:
    channel = socket.socket(fileno=CHANNEL)
    try:
        import torch  # the point of the exercise
        import lathe_native  # noqa: F401
        import worker  # noqa: F401
    except Exception as error:
        answer(channel, {"id": 0, "ok": False, "message": f"{type(error).__name__}: {error}"})
        return
    become_subreaper()
    signal.signal(signal.SIGCHLD, reap)
    gc.collect()
    gc.freeze()
    version = ".".join(str(part) for part in sys.version_info[:3])
    answer(channel, {"id": 0, "ok": True, "python": version, "torch": torch.__version__})
    while True:
        message, fds, _, _ = socket.recv_fds(channel, MESSAGE_SIZE, 8)
        if not message:
            return  # lathe is gone; the guards die with this process
        serve(channel, json.loads(message), fds)
        for fd in fds:
            os.close(fd)


def answer(channel: socket.socket, reply: dict[str, Any], fds: list[int] | None = None) -> None:
    socket.send_fds(channel, [json.dumps(reply).encode()], fds or [])


def serve(channel: socket.socket, request: dict[str, Any], fds: list[int]) -> None:
    try:
        preload(request.get("preload", []))
        pid, pidfd, missing = spawn(request, fds)
    except Exception as error:
        answer(channel, {"id": request["id"], "ok": False, "message": str(error)})
        return
    answer(channel, {"id": request["id"], "ok": True, "pid": pid, "missing": missing}, [pidfd])
    os.close(pidfd)


def preload(modules: list[str]) -> None:
    """Imports modules once. Some start programs, whose ends are theirs to see."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        for name in modules:
            importlib.import_module(name)
    finally:
        signal.signal(signal.SIGCHLD, reap)
        reap()


# -- children --------------------------------------------------------------------------


def become_subreaper() -> None:
    """Makes the orphans of a killed guard come to this process, which reaps them."""
    import ctypes

    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(*_: Any) -> None:
    """Collects the guards that have ended, and what they left."""
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            return
        if ended is None:
            return


def spawn(request: dict[str, Any], fds: list[int]) -> tuple[int, int, list[str]]:
    """Returns the guard's pid, a pidfd of the sandbox's init, and what the sandbox lacks."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        ours.settimeout(SETUP_LIMIT)
        pid = os.fork()
        if pid == 0:
            in_child(lambda: guard(theirs, request, fds))
        theirs.close()
        try:
            return pid, *set_up(ours, pid)
        except (OSError, SpawnError) as error:
            os.kill(pid, signal.SIGKILL)
            raise SpawnError(f"the sandbox could not be made: {error}") from error


def set_up(channel: socket.socket, guard_pid: int) -> tuple[int, list[str]]:
    """Follows a new guard through the making of its sandbox."""
    missing = receive(channel)[0]["missing"]
    if "user" not in missing and not map_ids(guard_pid):
        missing.append("user")
    channel.send(json.dumps({"missing": missing}).encode())
    reply, fds = receive(channel)
    return fds[0], reply["missing"]


def receive(channel: socket.socket) -> tuple[dict[str, Any], list[int]]:
    message, fds, _, _ = socket.recv_fds(channel, MESSAGE_SIZE, 1)
    if not message:
        raise SpawnError("its process ended early")
    reply = json.loads(message)
    if "error" in reply:
        raise SpawnError(reply["error"])
    return reply, fds


def map_ids(pid: int) -> bool:
    """Says who the users of the user namespace are outside. Root's candidates are nobody."""
    try:
        if os.geteuid() == 0:
            write_maps(pid, f"0 0 1\n{USER} {NOBODY} 1", f"0 0 1\n{USER} {NOBODY} 1")
        else:
            write_file(f"/proc/{pid}/setgroups", "deny")
            write_maps(pid, f"{USER} {os.geteuid()} 1", f"{USER} {os.getegid()} 1")
        return True
    except OSError:
        return False


def write_maps(pid: int, users: str, groups: str) -> None:
    write_file(f"/proc/{pid}/uid_map", users)
    write_file(f"/proc/{pid}/gid_map", groups)


def write_file(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def in_child(body: Any) -> NoReturn:
    """Runs `body` in a forked child, which never returns into this process's own code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        os._exit(body())
    except BaseException:
        traceback.print_exc()  # to the worker's output, once it has one
        os._exit(127)


# -- a worker's three processes --------------------------------------------------------


def guard(setup: socket.socket, request: dict[str, Any], fds: list[int]) -> int:
    """Outside the pid namespace: as long as the sandbox lives, and a moment longer."""
    import lathe_native

    lathe_native.lead_process_group()
    channel, output, errors, *cgroup = (os.dup(fd) for fd in fds)
    keep_only(setup, channel, output, errors, *cgroup)
    setup.send(json.dumps({"missing": lathe_native.enter_namespaces()}).encode())
    missing = receive(setup)[0]["missing"]
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = fork_into(cgroup, missing)
    if pid == 0:
        keep_only(writer, channel, output, errors)
        in_child(lambda: init(writer, request, missing, (channel, output, errors)))
    writer.close()
    report = reader.recv(MESSAGE_SIZE) or b'{"error": "its init process ended early"}'
    pidfd = os.pidfd_open(pid)
    socket.send_fds(setup, [report], [pidfd])
    keep_only(channel)
    status = lathe_native.keep_house(pid)
    say_how_it_ended(channel, status)
    return 0


def fork_into(cgroup: list[int], missing: list[str]) -> int:
    """Forks into the control group whose folder is given, where that is possible. To move there
    later would take the kernel ten milliseconds."""
    import lathe_native

    for folder in cgroup:
        try:
            return lathe_native.fork_into(folder)
        except OSError:
            missing.append("cgroup")
    return os.fork()


def keep_only(*kept: Any) -> None:
    """Closes every other descriptor."""
    numbers = sorted(fd if isinstance(fd, int) else fd.fileno() for fd in kept)
    start = 0
    for number in numbers:
        os.closerange(start, number)
        start = number + 1
    os.closerange(start, 1 << 20)


def say_how_it_ended(channel: int, status: int) -> None:
    """The last message on the worker's socket."""
    code = os.waitstatus_to_exitcode(status)
    number = -code if code < 0 else code - 128
    names = {item.value: item.name for item in signal.Signals}
    ended: dict[str, Any] = {"signal": names[number]} if number in names else {"exit": code}
    if code < 0:
        ended["init"] = True  # and not the worker, of which it would have told
    with socket.socket(fileno=channel) as farewell:
        farewell.setblocking(False)
        farewell.send(json.dumps({"ended": ended}).encode())


def init(report: socket.socket, request: dict[str, Any], missing: list[str],
         fds: tuple[int, int, int]) -> int:
    """Process 1 of the sandbox: builds it, shuts the door and reaps orphans."""
    import lathe_native

    try:
        missing = missing + shut_in(request, missing)
    except OSError as error:
        report.send(json.dumps({"error": str(error)}).encode())
        return 1
    pid = os.fork()
    if pid == 0:
        in_child(lambda: work(request, fds))
    report.send(json.dumps({"missing": missing}).encode())
    keep_only()
    code = os.waitstatus_to_exitcode(lathe_native.keep_house(pid))
    return code if code >= 0 else 128 - code  # as shells do; the guard tells what it was


def shut_in(request: dict[str, Any], missing: list[str]) -> list[str]:
    """Puts this process and its children-to-be into the sandbox. Returns what else is missing."""
    import lathe_native

    lacks = ["root", "proc"]
    if "mount" not in missing:
        lacks = lathe_native.build_root(visible_paths(), request.get("devices", []),
                                        request["tmp"])
    file_size = max(request["tmp"], request["memory"])
    if request.get("cpus"):
        os.sched_setaffinity(0, request["cpus"])
    lathe_native.limit_resources(request["memory"], request["processes"], file_size)
    lathe_native.drop_privileges(inside_user(missing))
    if not lathe_native.filter_system_calls():
        lacks.append("seccomp")
    return lacks


def inside_user(missing: list[str]) -> int:
    if "user" not in missing:
        return USER
    return NOBODY if os.geteuid() == 0 else os.geteuid()


def visible_paths() -> list[str]:
    """Where Python and torch live, and these scripts; not what a folder already listed holds."""
    here = os.path.dirname(os.path.abspath(__file__))
    wanted = {sys.prefix, sys.base_prefix, here, *(path for path in sys.path if path)}
    wanted |= {os.path.realpath(path) for path in wanted}
    visible = ["/usr"]
    for path in sorted(wanted):
        covered = any(os.path.commonpath([path, parent]) == parent for parent in visible)
        if os.path.exists(path) and path != "/" and not covered:
            visible.append(path)
    return visible[1:]


def work(request: dict[str, Any], fds: tuple[int, int, int]) -> int:
    """The process that runs foreign code."""
    import worker

    nothing = os.open("/dev/null", os.O_RDONLY)
    sources = (nothing, fds[1], fds[2], fds[0])
    high = [os.dup2(fd, 64 + i) for i, fd in enumerate(sources)]  # out of the way of 0 to 3
    for target, fd in enumerate(high):
        os.dup2(fd, target)
    os.closerange(4, 1 << 20)
    os.environ["CUDA_VISIBLE_DEVICES"] = request.get("visible_gpu", "")
    if request.get("cuda_arch"):  # or each build makes a context to ask for it
        # With PTX beside it, which profiles are read from.
        os.environ["TORCH_CUDA_ARCH_LIST"] = request["cuda_arch"] + "+PTX"
    return worker.main(CHANNEL, request["threads"], request.get("device", "cpu"))


if __name__ == "__main__":
    main()
