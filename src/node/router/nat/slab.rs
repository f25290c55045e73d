//! Numbered places for things that come and go: a number stays valid until what it names is taken out.

/// Things by number. Freed numbers are used again, the latest first, so that nothing grows beyond the most that there were.
#[derive(Debug)]
pub(super) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(super) const fn new() -> Slab<T> {
        Slab { places: Vec::new(), free: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(super) fn insert(&mut self, thing: T) -> u32 {
        match self.free.pop() {
            Some(number) => {
                self.places[number as usize] = Some(thing);
                number
            }
            None => {
                self.places.push(Some(thing));
                u32::try_from(self.places.len() - 1).expect("fewer than 2^32 sessions")
            }
        }
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<T> {
        let thing = self.places.get_mut(number as usize)?.take()?;
        self.free.push(number);
        Some(thing)
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        self.places.get(number as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        self.places.get_mut(number as usize)?.as_mut()
    }

    /// All, in the order of their numbers.
    pub(super) fn each(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_name_what_was_put_there() {
        let mut slab = Slab::new();
        let (a, b) = (slab.insert('a'), slab.insert('b'));
        assert_eq!((slab.get(a), slab.get(b), slab.len()), (Some(&'a'), Some(&'b'), 2));
        assert_eq!((slab.remove(a), slab.remove(a)), (Some('a'), None));
        assert_eq!((slab.get(a), slab.len()), (None, 1));
        assert_eq!(slab.insert('c'), a);
        *slab.get_mut(b).unwrap() = 'd';
        assert_eq!(slab.each().collect::<String>(), "cd");
        assert_eq!(slab.get(7), None);
    }
}
