import type { Element } from './der.ts'
import { Fields } from './der_fields.ts'
import { type GeneralName, generalNameText } from './general_names.ts'
import { contains, overlaps, readSubtree, type Subtree, subtreeText } from './name_subtrees.ts'
import { refuse } from './refusal.ts'

export interface NameConstraints {
  readonly permitted: readonly Subtree[]
  readonly excluded: readonly Subtree[]
}

export function readNameConstraints(element: Element): NameConstraints {
  const fields = new Fields(element, 'nameConstraints')
  const lists = [fields.optional(0xa0), fields.optional(0xa1)]
  fields.end()
  if (
    lists.every((list) => list === undefined) ||
    lists.some((list) => list?.children.length === 0)
  ) {
    refuse('extension-malformed', 'nameConstraints permit or exclude nothing')
  }
  const [permitted = [], excluded = []] = lists.map((list) => list?.children.map(readSubtree))
  return { permitted, excluded }
}

/**
 * Refuses names that one CA's constraints do not allow. To be called for each CA of a chain: what
 * they permit together is what each permits, never their union (RFC 5280 §6.1.4 (g)).
 *
 * @param names the alternative names; a non-empty subject as a directory name among them
 * @param ca for the message
 */
export function checkConstraints(
  { permitted, excluded }: NameConstraints,
  names: readonly GeneralName[],
  ca: string,
): void {
  for (const name of names) {
    const ofKind = permitted.filter((subtree) => subtree.kind === name.kind)
    if (excluded.some((subtree) => overlaps(subtree, name))) {
      refuse('name-constraints', `${generalNameText(name)} is excluded by the CA ${ca}`)
    }
    // A kind of name with no permitted subtree is unconstrained.
    if (ofKind.length > 0 && !ofKind.some((subtree) => contains(subtree, name))) {
      refuse(
        'name-constraints',
        `${generalNameText(name)} is outside the names that the CA ${ca} permits: ${ofKind.map(subtreeText).join(', ')}`,
      )
    }
  }
}

/** For messages: `permitted DNS name "example.com"; excluded IP address 10.0.0.0/255.0.0.0`. */
export function constraintsText({ permitted, excluded }: NameConstraints): string {
  return Object.entries({ permitted, excluded })
    .filter(([, subtrees]) => subtrees.length > 0)
    .map(([word, subtrees]) => `${word} ${subtrees.map(subtreeText).join(', ')}`)
    .join('; ')
}
