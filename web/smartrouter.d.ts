/** SmartRouter: which route should answer this prompt? The JavaScript API; the C manual is src/smartrouter.h.
 *
 *     const router = await SmartRouter.load({ asset: 'five-routes.srr', table: 'five-routes.srt', model: 'model.srm' });
 *     router.preview('debug this segf')            // Decision | null, at once, at every keystroke
 *     await router.route('debug this segfault')    // Decision, as deep as needed
 *     router.dispose();
 *
 * Misuse throws TypeError. Everything else throws or rejects with an Error whose `code` is a string: 'SR_E_...' from C
 * (smartrouter.h lists them), or one of JsErrorCode. A page under a content security policy needs `script-src 'self'
 * 'wasm-unsafe-eval'`, `connect-src` for the files, and `worker-src 'self'` for the worker; without a worker routing goes on in
 * slices on the main thread.
 */

/** A place to fetch from (relative strings: from the page, or the working directory in Node), or the bytes themselves. */
export type Source = URL | string | Uint8Array | ArrayBuffer;

/** One build of the WebAssembly a feature level; all give the same numbers. Default: the best that validates here. */
export type Variant = 'scalar' | 'simd128' | 'relaxed';

export type JsErrorCode =
  | 'SR_OVERTAKEN' // newer text came in; `name` is 'AbortError'
  | 'SR_DISPOSED' // the router was disposed; `name` is 'AbortError'
  | 'SR_FETCH' // a file or server could not be reached, or answered with an error status
  | 'SR_TIMEOUT' // the embedding server took too long
  | 'SR_RESPONSE' // the answer is not what was asked for: HTML, half a body, wrong dimension, wrong model
  | 'SR_INTEGRITY' // a file does not have the SHA-256 that `integrity` asks for
  | 'SR_WASM' // WebAssembly is blocked or lacks the forced variant
  | 'SR_WORKER' // the worker crashed twice on the same prompt
  | 'SR_NOT_READY' // nothing that can answer has been loaded
  | 'SR_UNKNOWN_ROUTE' // learn(): no such route in the asset
  | 'SR_ROUTES'; // compile(): the route file is wrong; the message names the route and the field

export interface SmartRouterError extends Error {
  code: JsErrorCode | (string & {});
}

export interface LoadOptions {
  /** The route asset, .srr. Required. */
  asset: Source;
  /** The encoder model, .srm. Goes on loading in the background; see `state`. The package smartrouter-model exports its URL. */
  model?: Source;
  /** false: the model waits until router.load(). Default true. */
  autoload?: boolean;
  /** The piece table, .srt: a first answer from under a megabyte, at every keystroke. */
  table?: Source;
  /** An embedder of your own, or http(): used for route() instead of model. The asset's pin must name its modelId. */
  embedder?: Embedder;
  /** Where the WebAssembly is: a folder URL that ends in '/', holding matcher-VARIANT.wasm and smartrouter-VARIANT.wasm
   * (default: './wasm/' beside smartrouter.js), or the bytes of one build. */
  wasm?: Source;
  /** Forces a build. An Error with code SR_WASM when it does not run here. */
  variant?: Variant;
  /** false: never start a worker. Or the URL of worker.js, when it is served elsewhere. Default true. */
  worker?: boolean | URL | string;
  /** Keep fetched files in Cache Storage, by URL and content. true (default), false, or a cache name. Blocked or full storage
   * never fails a load. */
  cache?: boolean | string;
  /** SHA-256 by role, in hexadecimal or 'sha256-BASE64'. Checked before use: the model then answers only once it is whole. */
  integrity?: { asset?: string; model?: string; table?: string };
  /** Deepest exit that route() uses: an index into router.exits. Default: the last. */
  lastExit?: number;
  /** Deepest encoder layer that the main thread keeps for preview(): 0 or 1, or -1 for none. Default 1 in a page, -1 in Node. */
  previewLayer?: -1 | 0 | 1;
  /** route() stops after about so many milliseconds with the deepest answer it has. Default: no limit. */
  budgetMs?: number;
  /** Most learned utterances; the oldest go first. Default 500. */
  learnedLimit?: number;
  onProgress?: (state: RouterState) => void;
  /** Aborts loading, the background part too. */
  signal?: AbortSignal;
}

/** idle: the model waits for router.load(), or there is none. loading: bytes arrive, no encoder exit yet. exit: the encoder
 * answers up to `exit`, more is coming. full: all exits. failed: `error` says why; what had arrived goes on answering. */
export interface RouterState {
  readonly state: 'idle' | 'loading' | 'exit' | 'full' | 'failed';
  /** Deepest exit (index into router.exits) that can answer now, table and external embedder included; -1: none. */
  readonly exit: number;
  /** Its encoder layer; -1 when it is not an encoder exit. */
  readonly layer: number;
  readonly loadedBytes: number;
  /** 0 while not known. */
  readonly totalBytes: number;
  readonly fromCache: boolean;
  readonly error: SmartRouterError | null;
  /** Starts again after 'failed', from the bytes already there. */
  readonly retry: () => Promise<void>;
}

/** The event 'state'. */
export interface StateEvent extends Event, RouterState {}

export interface RouteInfo {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  /** For integrations: what serves this route (a model spec's name). */
  readonly target: string;
  readonly utterances: number;
  readonly fallback: boolean;
}

export interface ExitInfo {
  readonly exit: number;
  readonly embedder: 'encoder' | 'table' | 'external';
  /** Encoder: after this layer, 0 for the embeddings alone. Else -1. */
  readonly layer: number;
  /** Encoder: the layers whose vectors, one after the other, make the vector. Else empty. */
  readonly layers: readonly number[];
  /** Of the vector that match() takes. */
  readonly dim: number;
  /** Of the space in which cosines are taken. */
  readonly rowDim: number;
  readonly rows: 'i8' | 'f32';
  readonly model: string;
  /** 16 hexadecimal digits, '0000000000000000' for external embedders. */
  readonly modelContent: string;
  readonly prefix: string;
  readonly pooling: 'mean' | 'cls' | 'max' | 'none';
  readonly aggregation: number;
  readonly hasMap: boolean;
  readonly hasHead: boolean;
  readonly hasPlane: boolean;
  /** route() stops here when it is at least so sure. */
  readonly stopConfidence: number;
  /** By route index. */
  readonly thresholds: readonly { readonly tau: number; readonly margin: number }[];
}

export interface Why {
  /** '' when the asset was written without texts. */
  readonly text: string;
  readonly route: string;
  /** Cosine in the exit's space. */
  readonly similarity: number;
  /** The id of the learned utterance, when it is one. */
  readonly learned?: number;
}

/** A decision. A prompt that is empty or white space alone is given to the fallback: score, margin and confidence 0,
 * belowThreshold true, all scores 0 with the fallback first, why empty. */
export interface Decision {
  /** Route id and label. */
  readonly route: string;
  readonly label: string;
  /** Best route before thresholds: differs from `route` when the fallback took the prompt. */
  readonly nearest: string;
  /** -1..1, of `route`. */
  readonly score: number;
  /** Best score minus second best; 2 with one route. */
  readonly margin: number;
  /** 0..1, calibrated: the chance that the decision is right. */
  readonly confidence: number;
  /** Below the margin: shown as unsure, not given to the fallback. */
  readonly uncertain: boolean;
  /** The best score missed its route's threshold, and the fallback took the prompt. */
  readonly belowThreshold: boolean;
  /** Best minus second missed the nearest route's margin. */
  readonly belowMargin: boolean;
  /** The exit that decided: an index into router.exits. */
  readonly exit: number;
  /** Its encoder layer, -1 for a table or external embedder. */
  readonly layer: number;
  readonly embedder: 'encoder' | 'table' | 'external';
  /** All routes, best first. */
  readonly scores: readonly { readonly route: string; readonly score: number }[];
  /** The nearest utterances, nearest first, at most 5. */
  readonly why: readonly Why[];
  /** Time it took, embedding included. */
  readonly ms: number;
  /** Encoder: how many pieces the prompt was cut into. */
  readonly pieces?: number;
  /** Where the prompt lies in the exit's drawing plane, when the asset has one. */
  readonly xy?: readonly [number, number];
}

export interface Explanation {
  readonly decision: Decision;
  /** Why this route: it was nearest, or the fallback took over below the threshold or the margin, or the prompt was empty. */
  readonly rule: 'nearest' | 'threshold' | 'margin' | 'empty';
  /** One English sentence. */
  readonly sentence: string;
  /** All routes, best first. */
  readonly routes: readonly {
    readonly route: string;
    readonly label: string;
    readonly score: number;
    /** The score it needs. */
    readonly threshold: number;
    /** The lead that it needs over the second. */
    readonly margin: number;
    /** Its utterances among `why`. */
    readonly why: readonly Why[];
  }[];
}

export interface RouteOptions {
  signal?: AbortSignal;
  /** Deepest exit, an index into router.exits. Default: LoadOptions.lastExit. */
  maxExit?: number;
  budgetMs?: number;
  /** true: newer text does not overtake this request (it still waits its turn). Default false. */
  keep?: boolean;
}

/** An utterance that this device learned from its user. */
export interface LearnedUtterance {
  readonly id: number;
  readonly text: string;
  readonly route: string;
  /** 1 to 5: as if it had been taught so often; the more, the further from it prompts still follow. */
  readonly weight: number;
}

/** What exportLearned() gives: a route file, so that `smartrouter compile` reads it too. */
export interface LearnedFile {
  name: 'learned';
  routes: { id: string; label: string; utterances: (string | { text: string; weight: number })[] }[];
}

export declare class SmartRouter extends EventTarget {
  private constructor();

  /** Resolves as soon as something can answer: the table or the embedder ready, else the model's first exit when a model is
   * given and loads by itself, else the open asset (match() only). The model goes on loading in the background. */
  static load(options: LoadOptions): Promise<SmartRouter>;

  /** Routes to asset bytes, the same bytes as `smartrouter compile`. Embeds every utterance. null: with a fit and its piece table, the
   * exit of the table alone, in a fraction of a second. */
  static compile(routes: RouteFile, embedder: Embedder | null, options?: CompileOptions): Promise<Uint8Array>;

  /** The best variant here: what load() would choose. */
  static bestVariant(): Variant;

  readonly version: string;
  readonly variant: Variant;
  readonly routes: readonly RouteInfo[];
  readonly exits: readonly ExitInfo[];
  readonly fallback: string;
  /** Content id of the asset, 16 hexadecimal digits. */
  readonly content: string;
  readonly state: RouterState;
  /** Whether the encoder runs in a worker. */
  readonly inWorker: boolean;

  /** Starts loading the model when `autoload` was false, and resolves when it is full. Does nothing twice. */
  load(): Promise<void>;

  /** The earliest useful answer on this thread, at once: encoder layer 1 or 0 when the model's first part is here, else the table, else
   * null. Never waits. */
  preview(text: string): Decision | null;

  /** Goes on, exit by exit, until the calibrated confidence suffices. Answers come in the order of asking. A request that newer
   * text overtakes rejects with code 'SR_OVERTAKEN', unless it was started with `keep`. An aborted signal rejects with its reason. */
  route(text: string, options?: RouteOptions): Promise<Decision>;

  /** Decides a vector that you embedded yourself. Any length but zero. exit: index, default the external exit, else the last. */
  match(vector: Float32Array | readonly number[], exit?: number): Decision;

  /** Of a decision; or of a text, by preview(): null when preview is. */
  explain(decision: Decision): Explanation;
  explain(text: string): Explanation | null;

  /** This text belongs to that route: remembered on this device, for every exit. Resolves when it counts. The same text then goes
   * there, and so do prompts nearer to it than to any utterance of the asset, the nearer the surer; others do not change. */
  learn(text: string, route: string, options?: { weight?: number }): Promise<LearnedUtterance>;
  /** false when there is no such id. */
  unlearn(id: number): boolean;
  learned(): LearnedUtterance[];
  exportLearned(): LearnedFile;
  /** Adds; routes that the asset lacks are left out. Resolves to how many were taken. */
  importLearned(file: LearnedFile): Promise<number>;

  /** The asset's utterances; with `exit`, and a plane in it, their places. */
  utterances(exit?: number): { text: string; route: string; negative: boolean; xy?: [number, number] }[];

  addEventListener(type: 'state', listener: (event: StateEvent) => void, options?: AddEventListenerOptions | boolean): void;
  /** What was learned counts now, or counts at one more exit: a decision made before may change. */
  addEventListener(type: 'learned', listener: (event: Event) => void, options?: AddEventListenerOptions | boolean): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: AddEventListenerOptions | boolean,
  ): void;

  /** Frees everything; pending requests reject with code 'SR_DISPOSED'. Safe to call twice. */
  dispose(): void;
}

/** routes/README.md has the schema. Unknown fields are an error, as in the native program, but for `comment` and names that start
 * with $. */
export interface RouteFile {
  name: string;
  version?: unknown;
  fallback: string;
  embedder?: { exits?: number[]; model?: string; prefix?: string; dimensions?: number };
  aggregation?: 'max' | number;
  low_margin?: 'fallback' | 'uncertain';
  /** Not followed here: give it as CompileOptions.fit. */
  fit?: string;
  routes: {
    id: string;
    label?: string;
    description?: string;
    target?: string;
    threshold?: number;
    margin?: number;
    utterances?: (string | { text: string })[];
    negatives?: (string | { text: string })[];
  }[];
}

export interface CompileOptions {
  /** What tune learned, .srf: maps, calibration, thresholds. */
  fit?: Source;
  /** The piece table, .srt, for a fit that has an exit for it. */
  table?: Source;
  /** Encoder layers to make exits of; default: the fit's, else the route file's, else as the native program. */
  layers?: number[];
  /**
   * Without a fit: the model's whitening, and in it the directions that tell these routes apart, as the native program does.
   * Default true; false: plain cosine. A model without whitening (all but smartrouter-model-general) gives plain cosine, too.
   */
  map?: boolean;
  /** Default 'i8'. */
  rows?: 'i8' | 'f32';
  /** Keep the utterances' texts, so that reasons can be shown. Default true. */
  texts?: boolean;
  /** Store drawing coordinates. Default true. */
  plane?: boolean;
  wasm?: Source;
  variant?: Variant;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/** Any async (text) => Float32Array will do. The properties let assets pin it and compile() embed in batches. */
export interface Embedder {
  (text: string, options?: { signal?: AbortSignal }): Promise<Float32Array | readonly number[]>;
  readonly modelId?: string;
  readonly dimensions?: number;
  readonly prefix?: string;
  many?(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<(Float32Array | readonly number[])[]>;
  dispose?(): void;
}
