import { setTimeout as delay } from 'node:timers/promises'
import type { Fault, Passing } from './relay.ts'

type Kind = 'list' | 'watch'

/** An answer with this status and body. */
export function answer(kind: Kind, status: number, body: unknown, headers = {}): Fault {
  return faultOf(kind, ({ response }) => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  })
}

/** A watch that begins well, says `text` and ends in order. */
export function saysAndEnds(text: string): Fault {
  return answer('watch', 200, text)
}

/** The request is taken and nothing ever comes. */
export function swallowed(kind: Kind): Fault {
  return faultOf(kind, () => undefined)
}

/** RST instead of an answer. */
export function resets(kind: Kind): Fault {
  return faultOf(kind, ({ reset }) => reset())
}

/** The answer begins well, and the connection ends inside a chunk of it. */
export function cutInsideChunk(kind: Kind, begins: string): Fault {
  return faultOf(kind, ({ response }) => {
    response.writeHead(200, { 'content-type': 'application/json' })
    response.flushHeaders()
    response.socket?.write(`400\r\n${begins}`)
    response.socket?.end()
  })
}

/** The fault, for the first request that it concerns. */
export function once(fault: Fault): Fault {
  let isOver = false
  return async (passing) => {
    if (isOver) return false
    isOver = await fault(passing)
    return isOver
  }
}

/** Further pages of a list are passed on this much later. */
export function latePages(ms: number): Fault {
  return async ({ kind }) => {
    if (kind === 'page') await delay(ms)
    return false
  }
}

/** The first of the faults that concerns a request. */
export function anyOf(...faults: readonly Fault[]): Fault {
  return async (passing) => {
    for (const fault of faults) if (await fault(passing)) return true
    return false
  }
}

/** What the API server says when a resource version is too old. */
export const expired = {
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  reason: 'Expired',
  code: 410,
  message: 'too old resource version: 1 (2)',
}

export const expiredEvent = `${JSON.stringify({ type: 'ERROR', object: expired })}\n`

function faultOf(kind: Kind, act: (passing: Passing) => void): Fault {
  return (passing) => {
    if (passing.kind !== kind) return false
    act(passing)
    return true
  }
}
