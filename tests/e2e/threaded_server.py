"""What the tests' servers share: a socket on loopback, and a thread for each connection."""

import socket
import threading


class ThreadedServer:
    """`_serve(connection)` is the server's own, and closes the connection. `listening`: a socket that listens already."""

    def __init__(self, listening=None):
        self.socket = listening or socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = 0 if self.socket.family == socket.AF_UNIX else self.socket.getsockname()[1]
        self.held = None
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        except OSError:
            pass
        self.socket.close()
        if self.held:
            self.held.close()

    def go_away(self):
        """Refuses whoever comes, and nobody else gets its port meanwhile; another one may be started there."""
        place, family = self.socket.getsockname(), self.socket.family
        self.stop()
        self.held = socket.socket(family)
        self.held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.held.bind(place)

    def _accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()
