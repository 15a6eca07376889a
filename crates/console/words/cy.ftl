# Geiriau sefydlog yr hyn y mae'r cyhoedd yn ei ddarllen.

language-name = Cymraeg
languages = Iaith

title = Cyngor i'r cyhoedd pan na ellir cyrraedd y gwasanaethau brys
agreed = Y geiriau y cytunwyd arnynt ar gyfer y cyhoedd, a dim byd arall.
none = Nid oes cyngor ar hyn o bryd.
withdrawn = Nid yw'r cyngor cynharach am y digwyddiad hwn yn berthnasol mwyach.
withdrawn-headline = Ddim yn berthnasol mwyach: { $headline }
over = Mae hyn ar ben.
not-translated = Yn Saesneg yn unig y mae'r cyngor hwn ar hyn o bryd.
published = Cyhoeddwyd: { $time }, gan { $sender }
areas = Ardaloedd: { $areas }
follow = Dilynwch y dudalen hon (Atom)

not-heard = Ni dderbyniwyd dim ers { $time }: mae'r hyn a ddywedwyd wedi hynny ar goll yma.
behind = Mae'r hyn a ddywedwyd ddiwethaf ar goll yma.

cap-event = Cyfathrebu'r gwasanaethau brys
