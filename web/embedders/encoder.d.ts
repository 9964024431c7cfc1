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
  readonly layer: number;
  readonly modelContent: string;
  many(texts: readonly string[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  /** One text's vector after each of these layers, ascending. */
  exits(text: string, layers: readonly number[], options?: { signal?: AbortSignal }): Promise<Float32Array[]>;
  /** The same for many texts, by text. */
  exitsOfMany(texts: readonly string[], layers: readonly number[], options?: { signal?: AbortSignal }): Promise<Float32Array[][]>;
  /** The model's whitening after that layer, map[rows][dimensions] of a vector less the mean; null when it has none. compile() uses it. */
  whitening(layer: number): Promise<{ rows: number; mean: Float32Array; map: Float32Array } | null>;
  dispose(): void;
}
/** Resolves when the model is whole. */
export declare function encoder(options: EncoderOptions): Promise<EncoderEmbedder>;
