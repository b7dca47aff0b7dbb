// What people read while the hub does not answer. The proxy's errors are pages of the hub, and without it two bare words.
// Loaded into configurable-http-proxy by `node --import`.
import ConfigurableProxy from "configurable-http-proxy";

const sentence = "VoxelHub does not answer at the moment. Notebook servers, their kernels and what they hold go on meanwhile.";
const page = `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5"><title>VoxelHub</title>
<style>:root { color-scheme: light dark } body { font: 1rem/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto;
padding: 0 1rem } h1 { font-size: 1.6rem }</style></head>
<body role="alert"><h1>Not available at the moment</h1><p>${sentence}</p><p>This page tries again by itself.</p></body></html>
`;
const problem = JSON.stringify({
  status: 503, code: "away", detail: sentence, fix: "Try again in a few seconds. If it stays so, tell the administrator.",
});
const bare = ConfigurableProxy.prototype._handleProxyErrorDefault;

ConfigurableProxy.prototype._handleProxyErrorDefault = function (code, kind, req, res) {
  if (code !== 503 || !res.writeHead || res.headersSent || res.writableEnded) {
    bare.call(this, code, kind, req, res);
    return;
  }
  const browser = (req.headers.accept ?? "").includes("text/html");
  res.writeHead(503, {
    "Content-Type": browser ? "text/html; charset=utf-8" : "application/problem+json",
    "Cache-Control": "no-store", "Retry-After": "5", "X-Content-Type-Options": "nosniff",
  });
  res.end(browser ? page : problem);
};
