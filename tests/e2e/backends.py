"""What the scenarios run on. TTF_STACK chooses:

    memory   one gateway, its store in memory
    redis    one gateway, its store in Redis
    redis2   two gateways that share Redis: agents connect to one, visitors come to the other
    aws      bootstrap, the Lambda, in the stand-in for API Gateway, with DynamoDB Local (aws.py)
"""

import os
from types import SimpleNamespace

import aws
from programs import END_SECONDS, Gateway
from redis_server import Redis

STACK = os.environ.get("TTF_STACK", "memory")
assert STACK in ("memory", "redis", "redis2", "aws"), f"TTF_STACK={STACK}?"
LINKS = 2 if STACK == "redis2" else 1  # between the visitor's gateway and ttf: each has windows and buffers

shared = SimpleNamespace(redis=None, databases={})


def exception(item):
    """Why this stack cannot run that test; None: it can."""
    return aws.exception(item) if STACK == "aws" else None


def store_options(state_dir):
    """A database for each state directory: a gateway started again in it finds what it has left."""
    if STACK in ("memory", "aws"):
        return ()
    if shared.redis is None:
        shared.redis = Redis()
    if state_dir not in shared.databases:
        shared.databases[state_dir] = shared.redis.new_database()
    return ("--store", shared.databases[state_dir])


def stop():
    aws.stop()
    if shared.redis is not None:
        shared.redis.stop()


def _value(options, flag):
    for before, option in zip(options, options[1:]):
        if before == flag:
            return option
    return None


class PairOfGateways(Gateway):
    """Looks like one gateway: `self` is the one that holds the agents, `front` the one that visitors come to."""

    def __init__(self, state_dir, *options, ports=(0, 0, 0), **more):
        public, agent, admin = ports
        domain = _value(options, "--domain") or "localhost"
        self.front = Gateway(state_dir, *options, ports=(public, 0, 0), **more)
        url = f"http://{domain}:{self.front.address[1]}"
        try:
            if "--public-url" not in options:
                options = ("--public-url", url, *options)
            super().__init__(state_dir, *options, ports=(0, agent, admin), **more)
        except BaseException:
            self.front.kill()
            raise
        self.address = self.front.address

    def stop(self, number=Gateway.stop.__defaults__[0], seconds=END_SECONDS):
        return super().stop(number, seconds) or self.front.stop(number, seconds)

    def kill(self):
        super().kill()
        self.front.kill()

    def check(self):
        super().check()
        self.front.check()

    def finish(self):
        try:
            super().finish()
        finally:
            self.front.finish()

    def dump(self):
        return super().dump() + "\n" + self.front.dump()


def make_gateway(state_dir, *options, **more):
    kind = {"redis2": PairOfGateways, "aws": aws.StandIn}.get(STACK, Gateway)
    return kind(state_dir, *store_options(state_dir), *options, **more)
