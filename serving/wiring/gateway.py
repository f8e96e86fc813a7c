"""Composition root of the gateway: ``python -m serving.wiring.gateway``."""

from infra.secrets import Secrets
from serving.gateway import build_gateway
from serving.wiring.common import run, serve, start

_BYTES_A_PIXEL = 2
_NPY_HEADER_BYTES = 4096


def main() -> None:
    """Serve the gateway until told to stop."""
    settings, database = start()
    app = build_gateway(
        database,
        routing_key=Secrets(settings.secrets).routing_key,
        demo_allowed=settings.limits_of_level.demo_models,
        max_image_bytes=settings.max_pixels * _BYTES_A_PIXEL + _NPY_HEADER_BYTES,
    )
    serve(app, host=settings.host, port=settings.gateway_port)


if __name__ == "__main__":
    run(main)
