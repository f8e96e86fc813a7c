// Swagger UI on this platform's own OpenAPI document; no validator, nothing from another host.
// The document is OpenAPI 3.1. Swagger UI 4, the newest that is packaged for Python, draws it well but refuses its number.
fetch("/openapi.json")
  .then((answer) => answer.json())
  .then((document) => {
    const spec = { ...document, openapi: "3.0.3" };
    window.SwaggerUIBundle({ spec, dom_id: "#docs", deepLinking: true, validatorUrl: null });
  });
