import { Agent, get } from 'node:https'
import { type ApiServer, tlsOf } from './api_client.ts'
import { at, type Json, parseJson, textAt } from './json.ts'

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly object: Json
}

const reopenMs = 50

/**
 * Watches a collection, its present objects first. A watch that the server ends is opened again
 * where it stopped, or from the present objects when that is too long ago.
 *
 * @returns ends the watch
 */
export function watch(
  server: ApiServer,
  path: string,
  onEvent: (event: WatchEvent) => void,
): () => void {
  const agent = new Agent({ keepAlive: false, ...tlsOf(server) })
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let resourceVersion: string | undefined

  const take = (line: string) => {
    const event = parseJson(line)
    const type = textAt(event, 'type')
    const object = at(event, 'object') ?? null
    if (type === 'ERROR') {
      resourceVersion = undefined
      return
    }
    resourceVersion = textAt(object, 'metadata', 'resourceVersion')
    if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') onEvent({ type, object })
  }

  const open = () => {
    const url = new URL(path, server.url)
    url.searchParams.set('watch', '1')
    url.searchParams.set('allowWatchBookmarks', 'true')
    if (resourceVersion !== undefined) url.searchParams.set('resourceVersion', resourceVersion)
    const call = get(url, { agent }, (response) => {
      if (response.statusCode === 410) resourceVersion = undefined
      if (response.statusCode !== 200) response.resume()
      else response.setEncoding('utf8').on('data', lines(take))
      response.on('error', () => undefined)
    })
    call.on('error', () => undefined)
    call.on('close', () => {
      if (!stopped) timer = setTimeout(open, reopenMs)
    })
  }
  open()
  return () => {
    stopped = true
    clearTimeout(timer)
    agent.destroy()
  }
}

/** Cuts a stream of chunks into lines. */
function lines(take: (line: string) => void): (chunk: string) => void {
  let rest = ''
  return (chunk) => {
    const parts = `${rest}${chunk}`.split('\n')
    rest = parts.pop() ?? ''
    for (const line of parts) if (line !== '') take(line)
  }
}
