import type { CertificateRequest } from '../api/certificate_request.ts'
import { certManagerApiVersion } from '../api/names.ts'
import type { EventRecorder, EventRegarding } from '../kube/events.ts'

/**
 * Events for the people who wait, on the objects that `about` names for a request. One for each new reason to wait and for each failure, none for a success: the
 * object shows it.
 */
export class Notices<T extends { readonly uid: string }> {
  readonly #events: Pick<EventRecorder, 'record'>
  readonly #about: (request: T) => readonly EventRegarding[]
  /** What was last said of a request, by its UID, so that a retry repeats nothing. */
  readonly #said = new Map<string, string>()

  constructor(
    events: Pick<EventRecorder, 'record'>,
    about: (request: T) => readonly EventRegarding[],
  ) {
    this.#events = events
    this.#about = about
  }

  waiting(request: T, reason: string, message: string): void {
    this.#tell(request, 'Normal', reason, message)
  }

  failed(request: T, reason: string, message: string): void {
    this.#tell(request, 'Warning', reason, message)
  }

  forget(uid: string): void {
    this.#said.delete(uid)
  }

  #tell(request: T, type: 'Normal' | 'Warning', reason: string, note: string) {
    if (this.#said.get(request.uid) === note) return
    this.#said.set(request.uid, note)
    for (const regarding of this.#about(request)) {
      this.#events.record({ regarding, type, reason, note })
    }
  }
}

/** The request and, where application teams look, its Certificate. */
export function aboutRequest(request: CertificateRequest): readonly EventRegarding[] {
  const { namespace, name, uid, certificate } = request
  const about = { apiVersion: certManagerApiVersion, namespace }
  return [
    { ...about, kind: 'CertificateRequest', name, uid },
    ...(certificate ? [{ ...about, kind: 'Certificate', ...certificate }] : []),
  ]
}
