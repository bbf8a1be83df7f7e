"""A model served centrally: plain onnxruntime behind HTTP, to compare the market's answers with.

Usage: central.py MODEL.onnx PORT. It answers POST / with {"input": [numbers]} by {"output": [numbers]}.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy
import onnxruntime


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(sys.argv[1], options)
    spec = session.get_inputs()[0]
    shape = [size if isinstance(size, int) else 1 for size in spec.shape]

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            values = numpy.asarray(json.loads(body)["input"], numpy.float32).reshape(shape)
            (output, *_) = session.run(None, {spec.name: values})
            text = json.dumps({"output": output.ravel().tolist()}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler)
    print("listening", flush=True)
    server.serve_forever()


main()
