//! Pages of a collection: `page[size]` and `page[number]`, the first page being 0.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::query::Query;

/// Which part of a collection is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    size: usize,
    number: usize,
}

impl Page {
    /// The page asked for; `None` if there is no valid `page[size]`. Values that are no numbers
    /// are ignored.
    pub fn of(query: &Query) -> Option<Self> {
        let number_of = |name| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let size = number_of("page[size]").filter(|size| *size > 0)?;
        Some(Self {
            size,
            number: number_of("page[number]").unwrap_or(0),
        })
    }

    /// The rows of the page, out of `total`; empty beyond the end.
    pub fn range(self, total: usize) -> Range<usize> {
        let start = self.number.saturating_mul(self.size).min(total);
        start..start.saturating_add(self.size).min(total)
    }

    /// Adds the links to the other pages to the links object of the collection, whose URL is
    /// `url`. The rest of the query is kept in them.
    pub fn add_links(self, links: &mut Value, url: &str, query: &Query, total: usize) {
        let Some(links) = links.as_object_mut() else {
            return;
        };
        let last = total.saturating_sub(1) / self.size;
        self.link(links, "first", 0, url, query);
        if self.number > 0 {
            self.link(links, "prev", (self.number - 1).min(last), url, query);
        }
        if self.number < last {
            self.link(links, "next", self.number + 1, url, query);
        }
        self.link(links, "last", last, url, query);
    }

    fn link(
        self,
        links: &mut Map<String, Value>,
        name: &str,
        number: usize,
        url: &str,
        query: &Query,
    ) {
        let numbers = [
            ("page[number]", number.to_string()),
            ("page[size]", self.size.to_string()),
        ];
        let text = query.rewrite(|name| name.starts_with("page["), &numbers);
        links.insert(name.to_owned(), format!("{url}?{text}").into());
    }

    /// The `meta` of a paginated answer.
    pub fn meta(total: usize) -> Value {
        json!({ "total": total })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_pages_are_pages() {
        let cases = [
            ("page[size]=5", Some((5, 0))),
            ("page[size]=5&page[number]=2", Some((5, 2))),
            ("page%5Bsize%5D=5&page%5Bnumber%5D=x", Some((5, 0))),
            ("page[size]=5&page[number]=-1", Some((5, 0))),
            ("page[size]=0", None),
            ("page[size]=-5", None),
            ("page[size]=x&page[number]=1", None),
            ("page[number]=1", None),
        ];
        for (text, expect) in cases {
            let page = Page::of(&Query::parse(text)).map(|page| (page.size, page.number));
            assert_eq!(page, expect, "{text}");
        }
    }

    #[test]
    fn rows_of_a_page() {
        let page = |size, number| Page { size, number };
        assert_eq!(page(2, 0).range(5), 0..2);
        assert_eq!(page(2, 2).range(5), 4..5);
        assert_eq!(page(2, 3).range(5), 5..5);
        assert_eq!(page(usize::MAX, usize::MAX).range(5), 5..5);
        assert_eq!(page(usize::MAX, 0).range(5), 0..5);
    }

    #[test]
    fn links_to_the_other_pages() {
        let query = Query::parse("page[size]=2&filter=id=\"1\"&page[number]=1");
        let mut links = json!({ "self": "http://h/s/" });
        Page { size: 2, number: 1 }.add_links(&mut links, "http://h/s/", &query, 5);
        let url = |number| {
            format!("http://h/s/?filter=id%3D%221%22&page%5Bnumber%5D={number}&page%5Bsize%5D=2")
        };
        assert_eq!(
            links,
            json!({
                "self": "http://h/s/", "first": url(0), "prev": url(0), "next": url(2), "last": url(2)
            })
        );
    }

    #[test]
    fn a_single_page_has_no_neighbours() {
        let mut links = json!({});
        Page { size: 9, number: 0 }.add_links(&mut links, "u", &Query::default(), 0);
        assert_eq!(links["first"], links["last"]);
        assert!(links.get("next").is_none() && links.get("prev").is_none());
    }
}
