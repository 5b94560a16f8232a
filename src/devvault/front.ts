import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Clock } from '../clock.ts'
import type { Random } from '../random.ts'
import {
  type Cloud,
  cloudOf,
  hostOf,
  publicCloud,
  type VaultKind,
  vaultKindOf,
  vaultNameOf,
} from './clouds.ts'
import type { Control } from './control.ts'
import { type DataPlane, type VaultRequest, vaultHeaders } from './data_plane.ts'
import type { Entra } from './entra.ts'
import { type Fault, faultAnswer } from './faults.ts'
import { type Answer, Refusal, readBody, send, type Target, targetOf } from './http.ts'
import { answerImds } from './imds.ts'
import type { PlainRequest } from './listening.ts'
import { managedHsmHeaders } from './managed_hsm.ts'
import { newVersionId } from './objects.ts'
import type { State, VaultState } from './state.ts'

interface Parts {
  readonly state: State
  readonly defaultVault: string
  readonly entra: Entra
  readonly dataPlane: DataPlane
  readonly control: Control
  readonly clock: Clock
  readonly random: Random
  /** Aborted when the server stops: nobody waits out a latency then. */
  readonly stopping: AbortSignal
}

/** What became of a request; `drop` cuts the connection instead of answering. */
interface Outcome {
  readonly answer: Answer | 'drop'
  readonly operation: string
  readonly vault: string
  readonly object: string
  readonly version: string
  readonly clientId: string
  readonly resource?: string
}

/** Who is behind the name that was asked. */
type Addressed =
  | { readonly type: 'entra'; readonly cloud: Cloud }
  | { readonly type: 'vault'; readonly vault: VaultState; readonly kind: VaultKind }

/** Takes requests for all names, lets vault or Entra answer, and writes them down. */
export class Front {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { clock, control, random } = this.#parts
    const time = clock.now()
    const started = clock.monotonic()
    const requestId = newVersionId(random)
    const target = targetOf(request.url)
    const body = await readBody(request)
    const host = String(request.headers.host ?? '').toLowerCase()
    const addressed = this.#addressed(host, target)
    if (target === undefined || body === undefined || addressed === undefined) {
      response.destroy()
      return
    }
    const outcome =
      addressed.type === 'entra'
        ? await this.#entra(request, host, target, body, addressed.cloud)
        : await this.#vault(request, host, target, body, addressed)
    const { answer, ...what } = outcome
    const status = answer === 'drop' ? 0 : answer.status
    control.journal.add({
      time,
      method: request.method ?? '',
      host: withoutPort(host),
      status,
      duration: Math.round(clock.monotonic() - started),
      requestId,
      ...what,
    })
    if (answer === 'drop') {
      response.destroy()
      return
    }
    if (addressed.type === 'entra') {
      send(response, withHeaders(answer, { 'x-ms-request-id': requestId }))
      return
    }
    const clientRequestId = request.headers['x-ms-client-request-id']?.toString()
    const authorised = what.clientId !== '' && status !== 403
    const headers = addressed.kind.isManagedHsm
      ? managedHsmHeaders(requestId, what.clientId !== '')
      : vaultHeaders(requestId, clientRequestId, authorised)
    send(response, withHeaders(answer, headers))
  }

  /** The metadata endpoint: counted, delayed and disturbed like everything else. */
  async metadata(request: PlainRequest): Promise<Answer | 'drop'> {
    const { clock, control, random, state, entra } = this.#parts
    const time = clock.now()
    const started = clock.monotonic()
    const { operation, clientId, ...answer } = answerImds(request, state, entra)
    const served = await this.#serve(operation, clientId, async () => answer)
    control.journal.add({
      time,
      operation,
      clientId,
      object: clientId,
      vault: '',
      version: '',
      host: withoutPort(String(request.headers.host ?? '')),
      method: request.method,
      status: served === 'drop' ? 0 : served.status,
      duration: Math.round(clock.monotonic() - started),
      requestId: newVersionId(random),
    })
    return served
  }

  /** A host that is no vault of ours is not answered: nothing has its name. */
  #addressed(host: string, target: Target | undefined): Addressed | undefined {
    const name = withoutPort(host)
    const cloud = cloudOf(name)
    if (cloud !== undefined) return { type: 'entra', cloud }
    if (name !== '127.0.0.1' && name !== 'localhost') return this.#vaultAt(name)
    const area = /^(deleted)?(keys|certificates|secrets)$/
    return area.test(target?.path[0] ?? '')
      ? this.#vaultAt(hostOf(this.#parts.defaultVault))
      : { type: 'entra', cloud: publicCloud }
  }

  #vaultAt(host: string): Addressed | undefined {
    const vault = this.#parts.state.vaults.get(vaultNameOf(host))
    const kind = vaultKindOf(host)
    return vault && kind && { type: 'vault', vault, kind }
  }

  async #entra(
    request: IncomingMessage,
    host: string,
    target: Target,
    body: string,
    cloud: Cloud,
  ): Promise<Outcome> {
    const { entra } = this.#parts
    const { operation, clientId, resource, ...answer } = entra.answer({
      cloud,
      method: request.method ?? '',
      host: host.replace(/:443$/, ''),
      path: target.path,
      query: target.query,
      body,
    })
    const object = clientId ?? ''
    const served = await this.#serve(operation, object, async () => answer)
    return {
      answer: served,
      operation,
      vault: '',
      object,
      version: '',
      clientId: object,
      ...(resource !== undefined && { resource }),
    }
  }

  async #vault(
    request: IncomingMessage,
    host: string,
    target: Target,
    body: string,
    { vault, kind }: Extract<Addressed, { type: 'vault' }>,
  ): Promise<Outcome> {
    const { dataPlane } = this.#parts
    const vaultRequest: VaultRequest = {
      vault,
      kind,
      origin: `https://${host.replace(/:443$/, '')}`,
      method: request.method ?? '',
      path: target.path,
      query: target.query,
      authorization: request.headers.authorization,
      body,
    }
    const { operation, name: object, version } = dataPlane.asked(vaultRequest)
    const what = { operation, vault: vault.name, object, version }
    try {
      const identity = dataPlane.authenticate(vaultRequest)
      const answer = await this.#serve(operation, `${vault.name}/${object}`, () =>
        dataPlane.serve(vaultRequest, identity),
      )
      return { ...what, answer, clientId: identity.clientId }
    } catch (thrown) {
      if (!(thrown instanceof Refusal)) throw thrown
      return { ...what, answer: thrown.answer, clientId: '' }
    }
  }

  /** Latency and faults around the work itself. */
  async #serve(
    operation: string,
    object: string,
    work: () => Promise<Answer>,
  ): Promise<Answer | 'drop'> {
    const { control, clock, stopping } = this.#parts
    const fault = control.faults.take(operation, object)
    const delay = control.delayOf(operation) + (fault?.delay ?? 0)
    if (delay > 0) await clock.sleep(delay, stopping)
    const failure = fault && failureOf(fault)
    if (failure !== undefined && fault?.afterwards !== true) return failure
    try {
      const answer = await work()
      return failure ?? answer
    } catch (thrown) {
      if (thrown instanceof Refusal) return failure ?? thrown.answer
      throw thrown
    }
  }
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '')
}

function failureOf(fault: Fault): Answer | 'drop' | undefined {
  if (fault.drop === true) return 'drop'
  return fault.status === undefined ? undefined : faultAnswer(fault, fault.status)
}

function withHeaders(answer: Answer, headers: Readonly<Record<string, string>>): Answer {
  return { ...answer, headers: { ...headers, ...answer.headers } }
}
