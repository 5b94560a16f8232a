import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a handler wants sent. A body of `undefined` sends none. */
export interface Answer {
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** An answer that ends the handling of a request early. Never leaves this folder. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly answer: Answer

  constructor(answer: Answer) {
    super(`refused with status ${answer.status}`)
    this.answer = answer
  }
}

export interface Target {
  /** Path segments, decoded; `/keys/n//sign` keeps its empty one, trailing slashes are dropped. */
  readonly path: readonly string[]
  readonly query: URLSearchParams
}

/** The SDK writes `?api%2Dversion=` and `/keys/n/`; both are as good as the plain forms. */
export function targetOf(url: string | undefined): Target | undefined {
  try {
    const parsed = new URL(url ?? '/', 'https://devvault.invalid')
    const path = parsed.pathname.split('/').slice(1).map(decodeURIComponent)
    while (path.length > 0 && path.at(-1) === '') path.pop()
    return { path, query: parsed.searchParams }
  } catch {
    return undefined
  }
}

export type Json = Readonly<Record<string, unknown>>

export function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Key Vault's largest accepted body is not documented; no object of ours comes near this. */
const bodyLimit = 1_000_000

export async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of request) {
    const bytes: Uint8Array = chunk
    length += bytes.length
    if (length > bodyLimit) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

export function send(response: ServerResponse, answer: Answer): void {
  if (response.destroyed || response.headersSent) return
  if (answer.body === undefined) {
    response.writeHead(answer.status, { ...answer.headers }).end()
    return
  }
  const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body)
  response
    .writeHead(answer.status, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': String(Buffer.byteLength(text)),
      ...answer.headers,
    })
    .end(text)
}
