import { hash } from 'node:crypto'
import type { Random } from '../random.ts'
import { badParameter, nameIsDeleted, type ObjectKind, objectNotFound } from './errors.ts'
import { type Answer, isJson, type Json } from './http.ts'
import type { Call } from './operation.ts'
import type { Attributes, Collection, Tags, Version } from './state.ts'

/** What keys, certificates and secrets have in common: names, versions, attributes, lists. */

export function newVersionId(random: Random): string {
  return Buffer.from(random.bytes(16)).toString('hex')
}

export function addVersion<V extends Version>(
  collection: Collection<V>,
  kind: ObjectKind,
  name: string,
  version: V,
): void {
  refuseDeletedName(collection, kind, name)
  const id = name.toLowerCase()
  const entry = collection.live.get(id)
  if (entry) entry.versions.push(version)
  else collection.live.set(id, { name, versions: [version] })
}

/** A deleted object keeps its name until it is purged. */
export function refuseDeletedName<V>(
  collection: Collection<V>,
  kind: ObjectKind,
  name: string,
): void {
  const deleted = collection.deleted.get(name.toLowerCase())
  if (deleted) throw nameIsDeleted(kind, deleted.entry.name)
}

export interface Found<V> {
  readonly name: string
  readonly versions: readonly V[]
  readonly version: V
}

/** The version asked for, or the newest. */
export function find<V extends Version>(
  collection: Collection<V>,
  kind: ObjectKind,
  name: string,
  version: string,
): Found<V> {
  const entry = collection.live.get(name.toLowerCase())
  const wanted = version.toLowerCase()
  const found =
    wanted === '' ? entry?.versions.at(-1) : entry?.versions.find((one) => one.version === wanted)
  if (!entry || !found) {
    throw objectNotFound(kind, version === '' ? name : `${name}/${version}`)
  }
  return { name: entry.name, versions: entry.versions, version: found }
}

/** Days for which a deleted object can be recovered. */
export const recoverableDays = 90

/** As recorded: `enabled`, the dates when set, times of change, recovery. */
export function showAttributes(attributes: Attributes): Json {
  return {
    ...showListedAttributes(attributes),
    recoveryLevel: 'Recoverable+Purgeable',
    recoverableDays,
  }
}

/** Certificates in lists do not show recovery (recorded). */
export function showListedAttributes(attributes: Attributes): Json {
  const { enabled, nbf, exp, created, updated } = attributes
  return {
    enabled,
    ...(nbf !== undefined && { nbf }),
    ...(exp !== undefined && { exp }),
    created,
    updated,
  }
}

export function showTags(tags: Tags | undefined): Json {
  return tags && Object.keys(tags).length > 0 ? { tags } : {}
}

/** Attributes of a new object from a request's `attributes`. */
export function newAttributes(body: Json, nowMs: number): Attributes {
  const now = seconds(nowMs)
  return { enabled: true, ...parseAttributes(body), created: now, updated: now }
}

/** Attributes after a PATCH: what is absent stays. */
export function changedAttributes(before: Attributes, body: Json, nowMs: number): Attributes {
  return { ...before, ...parseAttributes(body), updated: seconds(nowMs) }
}

export function parseTags(body: Json): { readonly tags?: Tags } {
  const tags = body.tags
  if (tags === undefined || tags === null) return {}
  if (!isJson(tags)) throw badParameter('Property tags has invalid value')
  const entries = Object.entries(tags).map(([key, value]): [string, string] => {
    if (typeof value !== 'string') throw badParameter('Property tags has invalid value')
    return [key, value]
  })
  return { tags: Object.fromEntries(entries) }
}

/**
 * A page of a list, at most 25 long. A full page always has a `nextLink`, even when an empty page
 * follows, and the link names the port (recorded). The order of names is documented as unspecified;
 * recordings happen to be sorted, here they are scattered so that nobody relies on it.
 */
export function page(
  call: Call,
  path: string,
  items: readonly { id: string; item: Json }[],
): Answer {
  const size = Number(call.query.get('maxresults') ?? 25)
  if (!Number.isInteger(size) || size < 1 || size > 25) {
    throw badParameter('Property maxresults has invalid value')
  }
  const token = call.query.get('$skiptoken')
  const after = token === null ? '' : Buffer.from(token, 'base64url').toString('utf8')
  const sorted = items
    .map(({ id, item }) => ({ order: hash('sha256', id), item }))
    .sort((one, other) => (one.order < other.order ? -1 : 1))
    .filter(({ order }) => order > after)
  const shown = sorted.slice(0, size)
  const last = shown.at(-1)
  const nextLink =
    shown.length === size && last ? linkAfter(call, path, Buffer.from(last.order)) : null
  return { status: 200, body: { value: shown.map(({ item }) => item), nextLink } }
}

export function seconds(ms: number): number {
  return Math.floor(ms / 1000)
}

function linkAfter(call: Call, path: string, token: Buffer): string {
  const origin = /:\d+$/.test(call.origin) ? call.origin : `${call.origin}:443`
  const size = call.query.get('maxresults')
  const tail = size === null ? '' : `&maxresults=${size}`
  return `${origin}/${path}?api-version=${call.apiVersion}&$skiptoken=${token.toString('base64url')}${tail}`
}

function parseAttributes(body: Json): { enabled?: boolean; nbf?: number; exp?: number } {
  const given = body.attributes ?? {}
  if (!isJson(given)) throw badParameter('Property attributes has invalid value')
  const { enabled, nbf, exp } = given
  return {
    ...(enabled !== undefined && { enabled: trueOrFalse(enabled, 'attributes.enabled') }),
    ...(nbf !== undefined && { nbf: wholeNumber(nbf, 'attributes.nbf') }),
    ...(exp !== undefined && { exp: wholeNumber(exp, 'attributes.exp') }),
  }
}

function trueOrFalse(value: unknown, property: string): boolean {
  if (typeof value === 'boolean') return value
  throw badParameter(`Property ${property} has invalid value`)
}

function wholeNumber(value: unknown, property: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value
  throw badParameter(`Property ${property} has invalid value`)
}
