"""A gateway, a ttf and a service for each protocol, made when first asked for, and shared by many tests."""

import contextlib


@contextlib.contextmanager
def arenas_of(tmp_path_factory, service, gateway=(), ttf=()):
    """Gives get(protocol). `service(starter)` makes the service; `gateway`, `ttf`: options of these."""
    from conftest import Stack, Starter

    made = {}

    def get(protocol):
        if protocol not in made:
            starter = Starter(tmp_path_factory.mktemp("arena"), protocol)
            stopped.callback(starter.stop_all)
            its_service = service(starter)
            its_gateway = starter.gateway(*gateway)
            made[protocol] = Stack(gateway=its_gateway, ttf=starter.forwarder(its_gateway, its_service, *ttf), service=its_service)
        return made[protocol]

    with contextlib.ExitStack() as stopped:
        yield get


def many(tmp_path_factory, kind, **options):
    """For the rows of a table, which are many connections: `kind` is the class of the service."""
    every = ("--connection-rate-per-address", "100000")
    return arenas_of(tmp_path_factory, lambda starter: starter._other(kind()), gateway=every, **options)
