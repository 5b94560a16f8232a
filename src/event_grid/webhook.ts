import { type FastifyReply, type FastifyRequest, fastify } from 'fastify'
import type { Clock } from '../clock.ts'
import { type IssuerError, issuerErrorFrom } from '../error.ts'
import type { Log } from '../log.ts'
import { parseDelivery, type VaultNotice } from './delivery.ts'
import { bearerToken, type CheckSender, type Verdict } from './sender.ts'
import { TokenBucket } from './token_bucket.ts'

/** What became of a request of Event Grid, or of one event in it: a label of a metric. */
export type NoticeOutcome =
  /** The certificate is looked at in Key Vault. */
  | 'accepted'
  /** Nobody wants the certificate. */
  | 'unwatched'
  /** Left for the leader, who counts it again as one of the above. */
  | 'handed_on'
  /** An event of another type. */
  | 'ignored'
  | 'handshake'
  | 'unauthenticated'
  | 'malformed'
  | 'too_many'
  /** Keys of Entra or API server were out of reach: Event Grid comes again. */
  | 'failed'

export interface WebhookOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly checkSender: CheckSender
  /** Resolves once they are in good hands; what it rejects with is answered by 503. */
  readonly onNotices: (notices: readonly VaultNotice[], signal: AbortSignal) => Promise<void>
  readonly onOutcome: (outcome: NoticeOutcome, count: number) => void
  readonly clock: Clock
  readonly log: Log
}

export interface Webhook {
  /** `http://host:port` as bound. */
  readonly url: string
  close(): Promise<void>
}

export const webhookPath = '/event-grid'

/** A delivery of `maxEvents` events, each with what Key Vault tells of a version, is well below. */
const bodyLimit = 256 * 1024
/** Event Grid gives an answer 30 s. */
const requestTimeoutMs = 10_000
const maxConnections = 256
const limits = { perSecond: 100, burst: 1_000 }
/** Of requests that are refused, one is logged in this time. */
const refusalLogMs = 10_000

/**
 * Takes what Event Grid sends, in both of its schemas, and does both handshakes. Nothing is read of
 * a request before its sender is known. Plain HTTP: TLS ends in front of it.
 */
export async function startWebhook(options: WebhookOptions): Promise<Webhook> {
  const { host, port, checkSender, onNotices, onOutcome, clock, log } = options
  const stop = new AbortController()
  const bucket = new TokenBucket(clock, limits)
  const logRefusal = sparing(clock, (more, fields) => {
    log.warn('a request of Event Grid was refused', { ...fields, more })
  })
  const refuse = (reply: FastifyReply, status: number, outcome: NoticeOutcome, reason: string) => {
    onOutcome(outcome, 1)
    logRefusal({ outcome, reason })
    return reply.code(status).send()
  }
  const fail = (reply: FastifyReply, error: IssuerError) => {
    onOutcome('failed', 1)
    log.warn('a request of Event Grid could not be served; it is sent again', { error })
    return reply.code(503).header('retry-after', '30').send()
  }

  const app = fastify({
    logger: false,
    bodyLimit,
    requestTimeout: requestTimeoutMs,
    // Node looks for requests that take too long each 30 s unless told otherwise.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: 2_000 },
  })
  app.server.maxConnections = maxConnections
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(contentTypes, { parseAs: 'string' }, (_, body, done) => done(null, body))

  app.addHook('onRequest', async (request, reply) => {
    const token = bearerToken(request.headers.authorization)
    const verdict: Verdict =
      token === undefined
        ? { kind: 'refused', reason: 'it has no Bearer token' }
        : await checkSender(token)
    if (verdict.kind === 'known') return
    if (verdict.kind === 'unavailable') return fail(reply, verdict.error)
    return refuse(
      reply.header('www-authenticate', 'Bearer'),
      401,
      'unauthenticated',
      verdict.reason,
    )
  })
  app.setNotFoundHandler((_, reply) => refuse(reply, 404, 'malformed', 'no such path or method'))
  app.setErrorHandler((error: { readonly statusCode?: number }, _, reply) => {
    const { statusCode = 500 } = error
    if (statusCode >= 500) return fail(reply, issuerErrorFrom(error))
    return refuse(reply, statusCode, 'malformed', 'it has no body that can be read')
  })

  app.options(webhookPath, (request, reply) => {
    const origin = request.headers['webhook-request-origin']
    if (typeof origin !== 'string') {
      return refuse(reply, 400, 'malformed', 'OPTIONS without WebHook-Request-Origin')
    }
    onOutcome('handshake', 1)
    log.info('Event Grid subscribes', { origin })
    return reply
      .headers({
        allow: 'POST',
        'webhook-allowed-origin': origin,
        'webhook-allowed-rate': String(limits.perSecond * 60),
      })
      .send()
  })

  app.post(webhookPath, async (request, reply) => {
    const delivery = parseDelivery(textOf(request))
    if (delivery.kind === 'malformed') return refuse(reply, 400, 'malformed', delivery.reason)
    if (delivery.kind === 'validation') {
      onOutcome('handshake', 1)
      log.info('Event Grid subscribes', { subscription: subscriptionOf(request) })
      // Any other status than 200 is no validation.
      return reply.code(200).send({ validationResponse: delivery.code })
    }
    const { notices, ignored } = delivery
    const waitMs = bucket.take(Math.max(1, notices.length))
    if (waitMs > 0) {
      const after = String(Math.ceil(waitMs / 1_000))
      return refuse(reply.header('retry-after', after), 429, 'too_many', 'too many at once')
    }
    if (ignored > 0) onOutcome('ignored', ignored)
    if (notices.length > 0) await onNotices(notices, stop.signal)
    // CloudEvents HTTP web hooks 1.0.2, 2.2: accepted, and not yet worked on.
    return reply.code(202).send()
  })

  const url = await app.listen({ host, port })
  return {
    url,
    async close() {
      stop.abort()
      await app.close()
    },
  }
}

const contentTypes = [
  'application/json',
  'application/cloudevents+json',
  'application/cloudevents-batch+json',
]

function textOf({ body }: FastifyRequest): string {
  return typeof body === 'string' ? body : ''
}

function subscriptionOf({ headers }: FastifyRequest): string {
  return String(headers['aeg-subscription-name'] ?? '')
}

/** Calls `tell` at most once in `refusalLogMs`, with how many calls were left out before. */
function sparing(
  clock: Clock,
  tell: (more: number, fields: Readonly<Record<string, string>>) => void,
): (fields: Readonly<Record<string, string>>) => void {
  let toldAt = Number.NEGATIVE_INFINITY
  let more = 0
  return (fields) => {
    if (clock.monotonic() - toldAt < refusalLogMs) {
      more++
      return
    }
    toldAt = clock.monotonic()
    tell(more, fields)
    more = 0
  }
}
