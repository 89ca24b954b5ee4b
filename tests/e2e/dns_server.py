"""A name server of the test's own: TXT records over UDP. `odd[name]`: bytes, or what makes them, or None (silence), instead of an answer."""

import socket
import struct
import threading


def encode(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


class DnsServer:
    def __init__(self):
        self.records, self.odd, self.asked = {}, {}, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    def _serve(self):
        while True:
            try:
                question, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            answer = self._answer(question)
            if answer is not None:
                try:
                    self.socket.sendto(answer, sender)
                except OSError:
                    return

    def _answer(self, question):
        at, labels = 12, []
        while question[at]:
            labels.append(question[at + 1 : at + 1 + question[at]].decode())
            at += 1 + question[at]
        name, section = ".".join(labels).lower(), question[12 : at + 5]
        kind = struct.unpack("!H", question[at + 1 : at + 3])[0]
        self.asked.append((name, kind))
        if name in self.odd:
            odd = self.odd[name]
            return odd(question, section) if callable(odd) else odd
        texts = self.records.get(name)
        if texts is None:
            return self.head(question, 3, 0) + section
        return self.head(question, 0, len(texts)) + section + b"".join(self.txt(text) for text in texts)

    @staticmethod
    def head(question, code, count):
        return question[:2] + struct.pack("!HHHHH", 0x8180 | code, 1, count, 0, 0)

    @staticmethod
    def txt(text):
        """A record; a tuple is one of several strings."""
        data = b"".join(bytes([len(part)]) + part for part in (p.encode() for p in (text if isinstance(text, tuple) else (text,))))
        return b"\xc0\x0c" + struct.pack("!HHIH", 16, 1, 60, len(data)) + data

    def stop(self):
        self.socket.close()
