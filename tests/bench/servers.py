"""Processes that each hold one network ready and run it on command (the protocol is in server.h).

Only the one that works is awake: the others are stopped, threads that spin for more work included.
"""
import ctypes
import json
import signal
import subprocess

PR_SET_PDEATHSIG = 1


def end_with_parent():
    """A process that is stopped would not notice that its input has ended."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Server:
    def __init__(self, command):
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        preexec_fn=end_with_parent)
        self.about = self._answer()
        self._stop()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"run.sh: error: {' '.join(self.command)} ended with {self.process.wait()}")
        return json.loads(line)

    def _stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, *words):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()
        answer = self._answer()
        self._stop()
        return answer

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
