import type { CertificateRequest } from '../api/certificate_request.ts'
import { certManagerApiVersion } from '../api/names.ts'
import type { EventRecorder } from '../kube/events.ts'

/**
 * Events for the people who wait: on the request and, where application teams look, on its
 * Certificate. One for each new reason to wait and for each failure, none for a success: cert-manager
 * tells of that itself.
 */
export class Notices {
  readonly #events: EventRecorder
  /** What was last said of a request, by its UID, so that a retry repeats nothing. */
  readonly #said = new Map<string, string>()

  constructor(events: EventRecorder) {
    this.#events = events
  }

  waiting(request: CertificateRequest, reason: string, message: string): void {
    this.#tell(request, 'Normal', reason, message)
  }

  failed(request: CertificateRequest, reason: string, message: string): void {
    this.#tell(request, 'Warning', reason, message)
  }

  forget(uid: string): void {
    this.#said.delete(uid)
  }

  #tell(request: CertificateRequest, type: 'Normal' | 'Warning', reason: string, note: string) {
    if (this.#said.get(request.uid) === note) return
    this.#said.set(request.uid, note)
    const { namespace, name, uid, certificate } = request
    const about = [{ kind: 'CertificateRequest', name, uid }]
    if (certificate) about.push({ kind: 'Certificate', ...certificate })
    for (const object of about) {
      const regarding = { apiVersion: certManagerApiVersion, namespace, ...object }
      this.#events.record({ regarding, type, reason, note })
    }
  }
}
