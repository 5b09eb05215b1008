window.addEventListener("load", () => {
  SwaggerUIBundle({
    spec: {/* the description */},
    dom_id: "#docs",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: 0,
    validatorUrl: null,
    presets: [SwaggerUIBundle.presets.apis],
  });
});
