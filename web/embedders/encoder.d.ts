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
  /** The mean vector of ordinary prompts after that layer, as the model file has it; null when it has none. */
  mean(layer: number): Promise<Float32Array | null>;
  dispose(): void;
}
/** Resolves when the model is whole. */
export declare function encoder(options: EncoderOptions): Promise<EncoderEmbedder>;
