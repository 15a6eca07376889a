# The fixed words of what the public reads. A file of the same names for another language, named by its tag (such as
# gd.ftl), goes into the directory that `words` of the console's configuration names. A name that is left out is said
# in English.

# The language's own name for itself.
language-name = English
# What stands before the choice of a language.
languages = Language

title = Advice to the public when the emergency services cannot be reached
agreed = The agreed words for the public, and nothing else.
none = There is no advice at present.
withdrawn = The earlier advice about this incident no longer applies.
withdrawn-headline = No longer applies: { $headline }
over = This is over.
# Shown in another language where the words themselves are not in it.
not-translated = This advice is in English only at present.
published = Published: { $time }, by { $sender }
areas = Areas: { $areas }
follow = Follow this page (Atom)

# The record cannot be read now.
not-heard = Nothing has been received since { $time }: what was said after that is missing here.
behind = What was said last is missing here.

# CAP's <event>.
cap-event = Emergency service communications
