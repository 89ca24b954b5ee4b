"""A coroutine that talks, on an event loop in a thread of its own, and calls into that loop from a test's thread."""

import asyncio
import threading


class AgentThread:
    """A subclass has `_talk()`, which sets `_started` and `_socket` and is back when the connection has closed."""

    def __init__(self):
        self.closed = threading.Event()
        self.close_code = None
        self._started = threading.Event()
        self._failure = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self, seconds=60):
        self.begin()
        assert self._started.wait(seconds), "no connection was established"
        if self._failure:
            raise self._failure
        return self

    def begin(self):
        """Starts, and waits for nothing."""
        self._thread.start()

    def stop(self):
        if not self._thread.is_alive():
            return
        self._end_connection()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def kill(self):
        """Gone without a close frame."""
        if hasattr(self, "_socket") and not self.closed.is_set():
            self._loop.call_soon_threadsafe(self._socket.transport.abort)
            self.closed.wait(60)

    _end_connection = kill

    def freeze(self):
        """Reads nothing more and answers no ping, but keeps the TCP connection: a machine that fell asleep."""

        async def pause():
            self._socket.transport.pause_reading()

        self._call(pause())

    def is_gone_within(self, seconds=60):
        return self.closed.wait(seconds)

    def _run(self):
        """The loop outlives the connection, so that a write to one that has closed fails instead of waiting for ever."""
        main = self._loop.create_task(self._main())
        self._loop.run_forever()
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(main, *tasks, return_exceptions=True))
        self._loop.close()

    async def _main(self):
        try:
            await self._talk()
        except Exception as error:  # the starter wants to know
            self._failure = error
        finally:
            self._started.set()
            self.closed.set()

    def _call(self, coroutine, seconds=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(seconds)
