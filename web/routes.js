// Where the files of this package lie, for Node and for bundlers.
export const fiveRoutes = {
  asset: new URL('./routes/five-routes.srr', import.meta.url),
  table: new URL('./routes/five-routes.srt', import.meta.url),
};
