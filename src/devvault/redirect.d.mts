/** Imported for its effect alone. */
export type Redirect = never
