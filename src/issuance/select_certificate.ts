import { allows, type DeliverableEntry, literalNames } from '../api/delivery.ts'
import { chosenCertificateAnnotation } from '../api/names.ts'
import { likeness, namesText, sameNames } from '../pki/certificate_names.ts'
import { selectsNamespace } from '../pki/policy.ts'
import type { DirectoryEntry } from '../vault/certificate_directory.ts'
import type { UsableVersion } from '../vault/version_choice.ts'
import { blockFor, misfit, type Wanted } from './fit.ts'
import type { Deliverer } from './issuer_state.ts'

/** Who asks for what, of which issuer. */
export interface SelectionRequest {
  readonly deliverer: Deliverer
  readonly namespace: string
  readonly namespaceLabels: Readonly<Record<string, string>>
  /** By annotation; without it the names decide. */
  readonly chosen: string | undefined
  readonly wanted: Wanted
  /** `undefined`: not read yet. */
  readonly entry: (name: string) => DirectoryEntry | undefined
}

export type Selection =
  | { readonly kind: 'selected'; readonly name: string; readonly version: UsableVersion }
  /** Meant, and fits, but not to be had now. */
  | { readonly kind: 'unavailable'; readonly name: string | undefined; readonly message: string }
  /** To be read first. */
  | { readonly kind: 'unread'; readonly name: string }
  /** `name`: the certificate that was meant, if one is known to be. */
  | {
      readonly kind: 'refused'
      readonly name: string | undefined
      readonly message: string
      /** What to put into the Certificate, if that is known. */
      readonly advice?: string
    }

/**
 * The Key Vault certificate for a request: the one that it chooses, else the first of the issuer's
 * list that carries exactly the names asked for. Of certificates that the namespace may not have,
 * not even the existence shows.
 */
export function selectCertificate(request: SelectionRequest): Selection {
  const { namespace, chosen } = request
  const open = openEntries(request)
  if (chosen !== undefined) {
    if (open.some((entry) => allows(entry, chosen))) return chosenByName(chosen, request)
    return refused(
      undefined,
      `certificate ${JSON.stringify(chosen)} is not among those that namespace "${namespace}" may ` +
        'have from this issuer; correct the annotation, or ask the operator of the issuer to add ' +
        'it to spec.certificates',
    )
  }
  if (open.length === 0) {
    return refused(
      undefined,
      `namespace "${namespace}" may have no certificate from this issuer; ask the operator of the ` +
        'issuer to add the namespace to an entry of spec.certificates',
    )
  }
  return chosenByNames(literalNames(open), request)
}

/** The entries that the namespace may have certificates of. */
export function openEntries(
  asker: Pick<SelectionRequest, 'deliverer' | 'namespace' | 'namespaceLabels'>,
): readonly DeliverableEntry[] {
  return asker.deliverer.allowed.filter((entry) => isOpenTo(entry, asker))
}

function isOpenTo(
  { namespaces }: DeliverableEntry,
  { deliverer, namespace, namespaceLabels }: Parameters<typeof openEntries>[0],
): boolean {
  if (deliverer.namespace !== undefined) return namespace === deliverer.namespace
  // An entry that says nothing is for nobody: the schema asks for it on a ClusterIssuer.
  return namespaces !== undefined && selectsNamespace(namespaces, namespace, namespaceLabels)
}

function chosenByName(name: string, { entry, wanted }: SelectionRequest): Selection {
  const found = entry(name)
  if (found === undefined) return { kind: 'unread', name }
  if (found.current === undefined) return unavailable(found)
  return fitting(found.name, found.current, wanted)
}

function chosenByNames(
  names: readonly string[],
  { entry, wanted, namespace }: SelectionRequest,
): Selection {
  const offers: Offer[] = []
  const unusable: DirectoryEntry[] = []
  const unread: string[] = []
  for (const name of names) {
    const found = entry(name)
    if (found === undefined) unread.push(name)
    else if (found.current === undefined) unusable.push(found)
    else offers.push({ name, version: found.current })
  }
  const named = offers.filter(({ version }) => sameNames(version.names, wanted.names))
  const fit = named.find(({ version }) => misfit(version, wanted) === undefined)
  const meant = fit ?? named[0]
  if (meant !== undefined) return fitting(meant.name, meant.version, wanted)

  // One of these may carry the names: nothing is known of a version that cannot be used.
  if (unread[0] !== undefined) return { kind: 'unread', name: unread[0] }
  if (unusable[0] !== undefined) return unavailable(unusable[0])

  const near = ({ version }: Offer) => likeness(version.names, wanted.names)
  const nearest = offers.toSorted((a, b) => near(b) - near(a))[0]
  if (nearest === undefined) {
    return refused(
      undefined,
      `no certificate is given to namespace "${namespace}" by its names alone; set the annotation ` +
        `${chosenCertificateAnnotation} to the name of one`,
    )
  }
  return refused(
    undefined,
    `no certificate that namespace "${namespace}" may have is for exactly ` +
      `${namesText(wanted.names)}; the nearest is "${nearest.name}": ` +
      `${misfit(nearest.version, wanted)}`,
    toUse(nearest),
  )
}

function fitting(name: string, version: UsableVersion, wanted: Wanted): Selection {
  const fault = misfit(version, wanted)
  if (fault === undefined) return { kind: 'selected', name, version }
  return refused(name, `certificate "${name}" does not fit: ${fault}`, toUse({ name, version }))
}

interface Offer {
  readonly name: string
  readonly version: UsableVersion
}

function toUse({ version }: Offer): string {
  return `to have it, put into the spec of the Certificate:\n${blockFor(version)}\n`
}

function unavailable({ name, trouble }: DirectoryEntry): Selection {
  const message = trouble?.message ?? `certificate "${name}" cannot be read`
  return { kind: 'unavailable', name, message }
}

function refused(name: string | undefined, message: string, advice?: string): Selection {
  return { kind: 'refused', name, message, ...(advice !== undefined && { advice }) }
}
