"""The gallery: static pages of a course for students and for whoever thinks of adopting it (`gradkit site`)."""
