// What people read while the hub or the service does not answer. The proxy's errors are pages of the hub: without the hub two
// bare words, and of the service's API, that the reader's server is down. Loaded into configurable-http-proxy by `--import`.
import ConfigurableProxy from "configurable-http-proxy";

const API = "/services/voxelhub/";
const hub = "VoxelHub does not answer at the moment. Notebook servers, their kernels and what they hold go on meanwhile.";
const service = "The part of VoxelHub that holds the data does not answer at the moment. Notebook servers and their kernels go on.";
const fix = "Try again in a few seconds. If it stays so, tell the administrator.";
const page = (sentence) => `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>VoxelHub</title>
<style>:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto;
padding: 0 1rem } h1 { font-size: 1.6rem }</style></head>
<body role="alert"><h1>Not available at the moment</h1><p>${sentence}</p><p>This page tries again by itself.</p></body></html>
`;

function answer(req, res, code, sentence) {
  const browser = (req.headers.accept ?? "").includes("text/html");
  res.writeHead(503, {
    "Content-Type": browser ? "text/html; charset=utf-8" : "application/problem+json",
    "Cache-Control": "no-store", "Retry-After": "5", "X-Content-Type-Options": "nosniff",
  });
  res.end(browser ? page(sentence) : JSON.stringify({ status: 503, code, detail: sentence, fix }));
}

function open(code, kind, res) {
  return code === 503 && kind === "web" && res?.writeHead && !res.headersSent && !res.writableEnded;
}

const { handleProxyError, _handleProxyErrorDefault } = ConfigurableProxy.prototype;

ConfigurableProxy.prototype.handleProxyError = function (code, kind, req, res, error) {
  if (!req.url.startsWith(API) || !open(code, kind, res)) {
    handleProxyError.call(this, code, kind, req, res, error);
    return;
  }
  this.log.error("503 %s %s %s", req.method, API, error?.code ?? "");
  answer(req, res, "service_unreachable", service);
};

ConfigurableProxy.prototype._handleProxyErrorDefault = function (code, kind, req, res) {
  if (open(code, kind, res)) answer(req, res, "hub_unreachable", hub);
  else _handleProxyErrorDefault.call(this, code, kind, req, res);
};
