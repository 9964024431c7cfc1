// Where this package's route asset lies, for Node and for bundlers. Its piece table is in smartrouter-model.
export const fiveRoutes = { asset: new URL('./routes/five-routes.srr', import.meta.url) };
