"""The plainest server: FastAPI, and a pool of threads for the engine."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import orjson
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import Response
from peer_scoring import CALLS, PORT, PeerModel

app = FastAPI()
model = PeerModel()
pool = ThreadPoolExecutor(CALLS)


@app.get("/ready")
def ready() -> dict[str, bool]:
    return {"ready": True}


@app.post("/predict")
async def predict(request: Request) -> Response:
    body = await request.body()
    answer = await asyncio.get_running_loop().run_in_executor(pool, model.answer, body)
    return Response(orjson.dumps(answer), media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, access_log=False, log_level="warning")
