// Swagger UI on this platform's own OpenAPI document; no validator, nothing from another host.
window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true, validatorUrl: null });
