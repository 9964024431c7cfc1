/** The five default routes, to be given to SmartRouter.load(). */
export declare const fiveRoutes: { asset: URL };
