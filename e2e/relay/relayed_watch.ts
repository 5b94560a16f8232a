import type { ServerResponse } from 'node:http'

/** A watch that passes through the relay, and the ways it can end. */
export class RelayedWatch {
  readonly #response: ServerResponse
  readonly #reset: () => void
  #frozen = false
  #lines = 0
  #mostLines = Number.POSITIVE_INFINITY

  constructor(response: ServerResponse, reset: () => void) {
    this.#response = response
    this.#reset = reset
  }

  /** Passes on what the API server sent. */
  pass(chunk: Uint8Array): void {
    if (this.#frozen || this.#response.writableEnded) return
    for (const byte of chunk) if (byte === newline) this.#lines++
    this.#response.write(chunk)
    if (this.#lines >= this.#mostLines) this.#endAtLine(chunk)
  }

  passEnd(): void {
    if (!this.#frozen) this.#response.end()
  }

  /** Ends the stream in order, as the API server does when its time is over. */
  end(): void {
    this.#response.end()
  }

  /** Ends it after so many lines, as the API server does with a client that reads too slowly. */
  endAfterLines(count: number): void {
    this.#mostLines = count
  }

  /** RST, as by a load balancer that was restarted. */
  reset(): void {
    this.#reset()
  }

  /** Announces a chunk, sends a part of it, then FIN. */
  cutInsideChunk(): void {
    const socket = this.#response.socket
    socket?.write('400\r\n{"type":"ADDED","object":{"metadata":{"name":"cut')
    socket?.end()
  }

  /** Half-open: the connection stays, and nothing passes any more. */
  freeze(): void {
    this.#frozen = true
  }

  /** The rest of a broken line comes with the next chunk, and is not to be lost at a clean end. */
  #endAtLine(chunk: Uint8Array): void {
    if (chunk.at(-1) === newline) this.#response.end()
  }
}

const newline = 0x0a
