import type { Embedder, Source, Variant } from '../smartrouter.js';

/** Our own encoder as an embedder, in a worker; for compile() and for vectors of your own. */
export interface EncoderOptions {
  model: Source;
  /** Exit after this layer; default the last. */
  layer?: number;
  wasm?: Source;
  variant?: Variant;
  worker?: boolean | URL | string;
  cache?: boolean | string;
  integrity?: string;
  signal?: AbortSignal;
  onProgress?: (loadedBytes: number, totalBytes: number) => void;
}
export interface EncoderEmbedder extends Embedder {
  readonly layers: number;
  readonly modelContent: string;
  /** One text's vector after each of these layers. */
  exits(text: string, layers: readonly number[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  dispose(): void;
}
export declare function encoder(options: EncoderOptions): Promise<EncoderEmbedder>;
