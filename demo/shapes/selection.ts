/** Which shape this window has selected. */
export interface Selection {
  readonly id: string | null;
  select(id: string | null): void;
  /** Called after every change; returns the unsubscribe. */
  onChange(listener: (id: string | null) => void): () => void;
}

export function createSelection(): Selection {
  const listeners = new Set<(id: string | null) => void>();
  let selected: string | null = null;
  return {
    get id() {
      return selected;
    },
    select(id) {
      if (id === selected) return;
      selected = id;
      for (const listener of listeners) listener(id);
    },
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
