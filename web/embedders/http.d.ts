/** An OpenAI-compatible /v1/embeddings server as an embedder.
 *
 * Rejects with SR_TIMEOUT, SR_FETCH (unreachable, or an error status: the message holds the status and the start of what the server
 * said, never the request's headers), SR_RESPONSE (HTML, half a body, a wrong count, dimension or model). */
import type { Embedder } from '../smartrouter.js';

export interface HttpOptions {
  /** The server's base ('https://host/v1') or the whole address of its /embeddings. */
  url: URL | string;
  model: string;
  /** Called before each request; the place for a key, which is never stored or shown in an error. */
  headers?: () => Promise<Record<string, string>> | Record<string, string>;
  /** Refuse other dimensions. Default: whatever the first answer has, from then on. */
  dimensions?: number;
  /** Put before each text. */
  prefix?: string;
  /** Texts a request. Default 32. */
  batch?: number;
  /** Default 10000, each try. */
  timeoutMs?: number;
  /** Further tries after 429, 5xx and network errors, with doubling waits and Retry-After. Default 3. */
  retries?: number;
}
export declare function http(options: HttpOptions): Embedder;
