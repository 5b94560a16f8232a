import { IssuerError } from '../error.ts'

/**
 * Cuts a stream of bytes into lines of text. Works on bytes: a newline byte is never part of a longer
 * UTF-8 sequence, so chunks may end anywhere.
 */
export class LineSplitter {
  readonly #maxLineBytes: number
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
  #rest: Uint8Array[] = []
  #restBytes = 0

  constructor(maxLineBytes: number) {
    this.#maxLineBytes = maxLineBytes
  }

  /**
   * The lines that `chunk` completes, without their newline, empty ones left out. Throws
   * KubeUnavailable for a line that is too long or not UTF-8.
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = []
    let start = 0
    for (;;) {
      const end = chunk.indexOf(newline, start)
      if (end < 0) break
      const line = this.#take(chunk.subarray(start, end))
      if (line !== '') lines.push(line)
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  /** To be called at the end of the stream. Throws KubeUnavailable when it ends inside a line. */
  end(): void {
    if (this.#restBytes === 0) return
    throw new IssuerError(
      'KubeUnavailable',
      `the stream ended inside a line, after ${this.#restBytes} of its bytes`,
    )
  }

  #keep(part: Uint8Array): void {
    this.#restBytes += part.length
    this.#rest.push(part)
    if (this.#restBytes <= this.#maxLineBytes) return
    throw new IssuerError(
      'KubeUnavailable',
      `a line of the stream is longer than ${this.#maxLineBytes} bytes`,
    )
  }

  #take(last: Uint8Array): string {
    this.#keep(last)
    const bytes = this.#rest.length === 1 ? last : Buffer.concat(this.#rest)
    this.#rest = []
    this.#restBytes = 0
    try {
      return this.#decoder.decode(bytes)
    } catch (cause) {
      throw new IssuerError('KubeUnavailable', 'a line of the stream is not UTF-8', { cause })
    }
  }
}

const newline = 0x0a
